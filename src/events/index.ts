export { eventAnswer, presentEvent } from './event.js';
export { eventTypesText } from './event-filter.js';
export { createEventFeed } from './event-feed.js';
export { packPosition, unpackPosition } from './position.js';
