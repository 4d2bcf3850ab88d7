import type { Socket } from 'node:net';

/** Bytes given to a parser at once. They hold 41 requests at most. */
const PORTION = 1024;
/** Connections that the parser reads itself. Each can cause 2,600 requests to be parsed at once (5 MB). */
const MAX_READ_BY_PARSER = 32;
/** Limit of unparsed bytes of all connections. */
const MAX_UNPARSED_IN_ALL = 16 * 1024 * 1024;

/** Feeds parsers in portions if there are many connections. */
export interface PortionReader {
  /** Called for a new connection, after Node has attached its parser. */
  watch(socket: Socket): void;
  /** Resumes a connection that was paused because it was full. */
  resume(socket: Socket): void;
}

/**
 * Node's parser reads 64 KiB from the socket at once, which saves 2 microseconds a request. The first connections
 * keep that. The others are read here in portions, which bounds the memory for parsed requests.
 *
 * @param isFull whether parsing of a connection should pause
 */
export function createPortionReader(
  isFull: (socket: Socket) => boolean,
  maxReadByParser = MAX_READ_BY_PARSER,
): PortionReader {
  let readByParser = 0;
  let unparsedInAll = 0;
  const readers = new WeakMap<Socket, () => void>();

  const read = (socket: Socket) => {
    const parsers = socket.listeners('data') as ((data: Buffer) => void)[];
    let unparsed: Buffer[] = [];
    let isParsing = false;
    const parse = () => {
      if (isParsing) return;
      isParsing = true;
      for (let next = unparsed[0]; next !== undefined; next = unparsed[0]) {
        if (isFull(socket) || isHeldByNode(socket) || socket.destroyed) break;
        const portion = next.subarray(0, PORTION);
        unparsedInAll -= portion.length;
        if (portion.length === next.length) unparsed.shift();
        else unparsed[0] = next.subarray(PORTION);
        for (const listener of parsers) listener.call(socket, portion);
      }
      isParsing = false;
      if (unparsed.length > 0) socket.pause();
    };
    readers.set(socket, parse);
    for (const listener of parsers) socket.removeListener('data', listener);
    socket.on('data', (data: Buffer) => {
      unparsed.push(data);
      unparsedInAll += data.length;
      parse();
      if (unparsed.length > 0 && unparsedInAll > MAX_UNPARSED_IN_ALL) socket.destroy();
    });
    socket.on('resume', parse);
    socket.once('close', () => {
      for (const { length } of unparsed) unparsedInAll -= length;
      unparsed = [];
    });
  };

  return {
    watch(socket) {
      if (readByParser >= maxReadByParser) {
        read(socket);
        return;
      }
      readByParser += 1;
      socket.once('close', () => (readByParser -= 1));
    },
    resume(socket) {
      if (!isHeldByNode(socket)) socket.resume();
      // The socket may not be paused yet.
      readers.get(socket)?.();
    },
  };
}

/**
 * Whether Node has paused the parser, because responses are not taken. The parser must not be fed until Node resumes
 * it. The property is not documented.
 */
function isHeldByNode(socket: Socket & { readonly _paused?: boolean }): boolean {
  return socket._paused === true;
}
