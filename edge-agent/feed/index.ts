export { EdgeFeeds } from './edge-feeds.ts';
export { feedConfigSchema, type FeedConfig } from './feed-config.ts';
