/** Keeps dependencies quiet: what they would send or keep on their own account is switched off before they load. */

const SILENCE = {
  // onnxruntime would look up a telemetry host, keep a device id and events under ~/.cache, and leave files in /tmp.
  ORT_DISABLE_TELEMETRY: '1',
  // https://consoledonottrack.com: for what a dependency may bring one day.
  DO_NOT_TRACK: '1',
};

/**
 * To be called on the main thread before a native library loads on any: it reads the environment of the process, of
 * which a worker has only a copy.
 */
export const silence = (): void => void Object.assign(process.env, SILENCE);
