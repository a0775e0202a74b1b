/** `GET /metrics`, for Prometheus. */
import { textAnswer } from './docs.ts';
import type { Route } from './route.ts';

export const metricsPage: Route = {
  method: 'get',
  path: '/metrics',
  always: true,
  quiet: true,
  handler: async ({ context: { metrics } }) => ({
    headers: { 'content-type': metrics.contentType },
    body: await metrics.text(),
  }),
  docs: { summary: 'Prometheus metrics', answers: { 200: textAnswer('Text format 0.0.4', 'text/plain') } },
};
