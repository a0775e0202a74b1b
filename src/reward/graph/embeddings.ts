/** What graphs made of a prompt or an image alone, kept for the next image or prompt; all scorers share the room. */
import { LRUCache } from 'lru-cache';
import { bytesOf, type Tensors } from './tensor.ts';

export interface EmbeddingCache {
  /**
   * What `make` gives for the key, or gave before; several callers at once make it once.
   * A failure is not kept.
   */
  get(key: string, make: () => Promise<Tensors>): Promise<Tensors>;
}

/** @param maxBytes room for all embeddings together; the least recently used go first */
export function createEmbeddingCache(maxBytes: number): EmbeddingCache {
  const kept = new LRUCache<string, Tensors>({ maxSize: Math.max(1, maxBytes), sizeCalculation: bytesOf });
  const underWay = new Map<string, Promise<Tensors>>();

  const made = async (key: string, make: () => Promise<Tensors>): Promise<Tensors> => {
    try {
      const embeddings = await make();
      kept.set(key, embeddings); // one that is too large is simply not kept
      return embeddings;
    } finally {
      underWay.delete(key);
    }
  };

  return {
    async get(key, make) {
      const known = kept.get(key);
      if (known) return known;
      const promise = underWay.get(key) ?? made(key, make);
      underWay.set(key, promise);
      return promise;
    },
  };
}
