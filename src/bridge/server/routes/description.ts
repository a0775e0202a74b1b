/** `GET /openapi.json`: the routes in a form for machines. */
import { answer } from './docs.ts';
import type { Route } from './route.ts';

export const description: Route = {
  method: 'get',
  path: '/openapi.json',
  handler: ({ context }) => ({ body: context.openapi }),
  docs: { summary: 'This document', answers: { 200: answer('OpenAPI 3.1', { type: 'object' }) } },
};
