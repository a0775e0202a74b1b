/** The part that is used of a package without types. */
declare module 'bufferutil' {
  const bufferutil: {
    /** XORs the bytes with the four of the mask, over and over, in place. */
    unmask(bytes: Uint8Array, mask: Uint8Array): void;
  };
  export default bufferutil;
}
