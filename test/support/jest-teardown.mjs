export default () => globalThis.tearDownTests?.();
