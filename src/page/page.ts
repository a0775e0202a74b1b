/** A web page of one file: it loads nothing, runs no script and prints well. */
import { html, Markup } from './html.ts';
import { STYLE } from './style.ts';

/** The browser then refuses whatever a slip in the page could ask for. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

/** @param style beside the one that all pages have */
export const page = (title: string, body: readonly Markup[], style = ''): string =>
  html`<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title><style>${new Markup(STYLE + style)}</style></head>
<body>${body}</body></html>
`.text;
