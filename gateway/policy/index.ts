export { decide, type Decision, type DecisionAttributes } from './decide.ts';
export { parsePolicy, type Policy } from './policy.ts';
export { PolicyBook } from './policy-book.ts';
export { Reviews } from './reviews.ts';
