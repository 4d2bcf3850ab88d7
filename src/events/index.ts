export { EVENT_JSON, eventAnswer, presentEvent, type StoredEvent } from './event.js';
export { eventTypes, eventTypesText, typePatterns } from './event-filter.js';
export { createEventFeed } from './event-feed.js';
export { type FeedPosition, packPosition, unpackPosition } from './position.js';
