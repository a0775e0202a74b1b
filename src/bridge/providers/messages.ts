/** A conversation about an image in the form of OpenAI's chat. */
import type { Question } from '../../types/provider.ts';

export function messagesOf({ image, turns }: Question): object[] {
  const url = `data:${image.type};base64,${Buffer.from(image.bytes).toString('base64')}`;
  const told = turns.findIndex(({ imageAt }) => imageAt !== undefined);
  const place = told >= 0 ? told : turns.findIndex(({ role }) => role === 'user');
  return turns.map(({ role, text, imageAt = 0 }, i) => ({
    role,
    content:
      i === place
        ? [
            ...words(text.slice(0, imageAt)),
            { type: 'image_url', image_url: { url } },
            ...words(text.slice(imageAt)),
          ]
        : text,
  }));
}

const words = (text: string): object[] => (text === '' ? [] : [{ type: 'text', text }]);
