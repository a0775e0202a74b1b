/** A conversation about an image in the form of OpenAI's chat: the image before the first words of the user. */
import type { Question } from '../../types/provider.ts';

export function messagesOf({ image, turns }: Question): object[] {
  const url = `data:${image.type};base64,${Buffer.from(image.bytes).toString('base64')}`;
  const first = turns.findIndex(({ role }) => role === 'user');
  return turns.map(({ role, text }, i) => ({
    role,
    content:
      i === first
        ? [
            { type: 'image_url', image_url: { url } },
            { type: 'text', text },
          ]
        : text,
  }));
}
