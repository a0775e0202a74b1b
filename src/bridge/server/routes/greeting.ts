/** `GET /`: for people who look. */
import { textAnswer } from './docs.ts';
import type { Route } from './route.ts';

export const greeting: Route = {
  method: 'get',
  path: '/',
  handler: ({ context }) => ({
    headers: { 'content-type': 'text/html; charset=utf-8' },
    body: page(context.version),
  }),
  docs: { summary: 'What this is', answers: { 200: textAnswer('A line for people', 'text/html') } },
};

const page = (version: string): string =>
  `<!doctype html><title>Assay</title><p>Assay ${version} scores AI-generated images. The API is described in <a href="/openapi.json">/openapi.json</a>; <a href="/readyz">/readyz</a> says whether it is ready.</p>\n`;
