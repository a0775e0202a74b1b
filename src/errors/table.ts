/**
 * Every error that a user can meet, in one table. `docs/errors.md` explains the same codes; a test ties the two.
 *
 * `kind` says what the caller should do: `input` fix the request, `retry` send it again later,
 * `setup` fix the installation or configuration, `internal` report a bug in Assay.
 */

export type ErrorKind = 'input' | 'retry' | 'setup' | 'internal';

export interface Entry {
  kind: ErrorKind;
  /** HTTP status when the error answers a whole request. */
  status: number;
  /** Placeholders in braces are filled from the details. */
  message: string;
  /** What the user can do about it. */
  fix: string;
}

const entry = <const T extends Entry>(e: T): T => e;
const input = <const S extends number, const M extends string>(status: S, message: M, fix: string) =>
  entry({ kind: 'input', status, message, fix });
const retry = <const S extends number, const M extends string>(status: S, message: M, fix: string) =>
  entry({ kind: 'retry', status, message, fix });
const setup = <const M extends string, const F extends string>(message: M, fix: F) =>
  entry({ kind: 'setup', status: 503, message, fix });

export const ERRORS = {
  // images
  FILE_NOT_FOUND: input(404, 'no such file or folder: {path}', 'Check the path; quote globs.'),
  FILE_UNREADABLE: input(
    422,
    'cannot read {path}: {reason}',
    'Check the permissions of the file and its folder.',
  ),
  NO_IMAGES: input(
    404,
    'no image files in {path} (looked for {extensions})',
    'Name a folder that holds images, or the files themselves.',
  ),
  IMAGE_EMPTY: input(422, 'the image has no bytes', 'Send the whole file; it may not have been written yet.'),
  IMAGE_UNSUPPORTED: input(
    415,
    'not an image that can be decoded here ({found}); what can are PNG, JPEG, WebP, AVIF, GIF, TIFF, BMP and raw rgb8 or rgba8',
    'Convert the file, for example to PNG, or check that the download is not an error page.',
  ),
  IMAGE_SHAPE: input(
    422,
    'not images as the host passes them: {found}',
    'Pass a tensor [batch, height, width, channels] with 1, 3 or 4 channels: permute(0, 2, 3, 1) makes it of [batch, channels, height, width], and [None, ..., None] of one grey image.',
  ),
  IMAGE_VALUES: input(
    422,
    'the values of the image are not 0 to 1: {found}',
    'Scale it before it is scored: x / 255 for 0..255, (x + 1) / 2 for −1..1. NaN and infinities come from the node that made it, often a VAE in half precision.',
  ),
  IMAGE_ENCODING: input(
    400,
    'the image is not valid base64: {reason}',
    'Encode the bytes of the file, or send them as multipart or MessagePack.',
  ),
  IMAGE_CORRUPT: input(422, 'the image is damaged or cut short: {reason}', 'Write or download it again.'),
  IMAGE_TOO_SMALL: input(
    422,
    'the image is {width}×{height} pixels; each side needs at least {minSide}',
    'Send the image at the size it was generated.',
  ),
  IMAGE_TOO_LARGE: input(
    413,
    'the image is {width}×{height} pixels; the limit is {maxPixels} pixels and {maxSide} a side',
    'Scale it down, or raise limits.maxPixels and limits.maxSide in the config.',
  ),
  IMAGE_TOO_HEAVY: input(
    413,
    'the image has {bytes} bytes; the limit is {maxBytes}',
    'Compress it, or raise limits.maxImageBytes in the config.',
  ),
  RAW_SIZE_MISMATCH: input(
    400,
    'raw {format} of {width}×{height} needs {expected} bytes, {found} came',
    'Send width × height × channels bytes, rows without padding.',
  ),
  ARRAY_UNFIT: input(
    422,
    'the array is not images: {found}; expected uint8 of [number, height, width, 3 or 4]',
    'np.save a C-ordered array with channels last: x.transpose(0, 2, 3, 1) of [number, channels, height, width], and (x * 255).round().clip(0, 255).astype("uint8") of floats from 0 to 1.',
  ),
  PROMPT_REQUIRED: input(
    422,
    'scorer {scorer} needs a prompt and {lack}',
    'Send the prompt of the image, or use a scorer of quality alone.',
  ),
  NO_REWARD: input(
    422,
    'image {id} has no reward: {reason}',
    'Choose what the trainer gets instead: missing="nan", "worst" or a number, as docs/rewards.md says.',
  ),

  // requests
  OUTPUT_UNWRITABLE: setup(
    '{output} cannot be written: {reason}',
    'Free some space where it goes, or send it elsewhere. What was done before is kept: tables of `assay score` and folders of `assay best` and `assay refine` are gone on with by --resume.',
  ),
  OUTPUT_HELD: setup(
    '--out {path}: another run is writing it, {holder}',
    'Wait for that run or stop it, or give this one another --out.',
  ),
  USAGE: input(400, '{reason}', 'Run the command with --help.'),
  BAD_REQUEST: input(400, 'the request does not fit: {reason}', 'Compare it with GET /openapi.json.'),
  MALFORMED_BODY: input(
    400,
    'the body is not valid {format}: {reason}',
    'Check the encoder and the content type.',
  ),
  UNSUPPORTED_CONTENT_TYPE: input(
    415,
    'content type {found} is not accepted here; send {expected}',
    'Set the Content-Type header.',
  ),
  BODY_TOO_LARGE: input(
    413,
    'the message is larger than {maxBytes} bytes',
    'Send fewer images at a time, or raise limits.maxBodyBytes in the config.',
  ),
  STALLED: input(
    408,
    'only {bytes} bytes of the message came within {withinMs} ms',
    'Send it again, without pauses: until it is whole, its place in memory is kept from others.',
  ),
  TOO_MANY_IMAGES: input(
    413,
    'the request has {count} images; this daemon never holds more than {limit} at once',
    'Send fewer images at a time, or raise limits.maxQueue in the config.',
  ),
  UNKNOWN_OP: input(400, 'no operation "{op}"; known are {known}', 'Correct the field op.'),
  DUPLICATE_ID: input(
    409,
    'request id {id} is in flight on this connection already',
    'Give each request in flight an id of its own.',
  ),
  KEY_REUSED: input(
    409,
    'the idempotency key "{key}" was used for {what}',
    'Give each request a key of its own, such as a UUID, and send the same key only with the same request.',
  ),
  UNKNOWN_SCORER: input(404, 'no scorer "{id}"{hint}; installed are {known}', 'Run `assay models list`.'),
  REWARD_MISSING: input(
    422,
    '{count} of {of} images have no reward, which this route has no word for; image {id}: {reason}',
    'Say in the profile what a missing reward is: `missing` as "worst" or {"floor": …}. POST /v1/rewards answers for each image by itself.',
  ),
  UNKNOWN_PROFILE: input(
    404,
    'no reward profile "{name}"{hint}; known are {known}',
    'Add it to rewards.profiles in the config, or send the profile itself. GET /v1/profiles lists them.',
  ),
  NOT_FOUND: input(
    404,
    '{method} leads nowhere with this path{hint}',
    'GET /openapi.json lists what there is.',
  ),
  METHOD_NOT_ALLOWED: input(
    405,
    '{path} takes {allowed}, not {method}',
    'Use a method that the Allow header names.',
  ),
  UNAUTHORIZED: input(
    401,
    'this daemon asks for a token',
    'Send the header `Authorization: Bearer <token>` with the token the daemon was started with; the nodes and the extension take it from ASSAY_TOKEN_FILE or ASSAY_TOKEN in the environment of the host.',
  ),
  HOST_REFUSED: input(
    403,
    'host "{host}" is not one this daemon answers to',
    'Use the address it printed, or add the name to allowedHosts in the config.',
  ),
  ORIGIN_REFUSED: input(
    403,
    'pages from {origin} may not call this daemon',
    'Add the origin to allowedOrigins in the config.',
  ),
  PATH_NOT_ALLOWED: input(
    403,
    'reading {path} on behalf of a client is not allowed',
    'Add its folder to allowedDirs in the config (for `assay mcp`: start it with --allow DIR), or send the bytes.',
  ),
  CANCELLED: input(499, 'cancelled by the caller', 'Nothing to do.'),

  // ratings (assay eval)
  RATINGS_INVALID: input(
    422,
    '{path}: {reason}',
    'The file needs a header with a name column and at least one of mos_quality, mos_align, mos_authenticity.',
  ),

  // prompts (assay score)
  PROMPTS_INVALID: input(
    422,
    '{path}: {reason}',
    'Correct the file there; docs/score.md tells how it is read.',
  ),
  FILE_NOT_COPIED: input(
    422,
    'cannot copy {path} to {folder}: {reason}',
    'Choose another folder, or see that it can be written and its disk has room.',
  ),
  FILE_NOT_MOVED: input(
    422,
    '{path} was left where it is: {reason}',
    'Score it anew, or move it yourself; nothing was changed.',
  ),

  // diffusion UIs (hosts)
  WORKFLOW_INVALID: input(
    422,
    '{source} is not a workflow in API format: {reason}',
    'In ComfyUI choose Workflow > Export (API) and use the file that it saves.',
  ),
  WORKFLOW_UI_FORMAT: input(
    422,
    '{source} is a workflow as the editor saves it; the server runs only the API format',
    'In ComfyUI choose Workflow > Export (API) and use the file that it saves.',
  ),
  NODE_UNKNOWN: input(
    404,
    '{path} has no node "{node}"{hint}; those that save images are {known}',
    'Name one of its nodes, or leave --node out.',
  ),
  PROMPT_SOURCE_UNKNOWN: input(
    415,
    '{path} is neither an image nor a workflow: {reason}',
    'Name an image file, or a workflow: in ComfyUI choose Workflow > Export (API).',
  ),
  REQUEST_INVALID: input(
    422,
    '{source} is no request of txt2img or img2img: {reason}',
    'docs/a1111.md tells what such a file holds; /docs of the host lists every field.',
  ),
  WORKFLOW_REJECTED: input(
    422,
    '{host} refuses the workflow: {reason}',
    'Correct what is named there, or install the node pack or extension that it needs.',
  ),
  HOST_UNKNOWN: input(
    422,
    '{url} answers, but not as {expected}: {found}',
    'Check the port: ComfyUI listens on 8188, the AUTOMATIC1111 family on 7860 (7861 with --nowebui), unless told otherwise.',
  ),
  HOST_API_OFF: input(
    422,
    '{url} is a web UI of the AUTOMATIC1111 family, and its API is off: {reason}',
    'Start it with --api.',
  ),
  HOST_DENIED: input(
    403,
    '{url} refuses the request with status {status}: {reason}',
    'Use the address that the host prints at its start. A login goes into the address (http://user:password@…), a token into the headers: --comfyui-header, --a1111-header, or `headers` in the config.',
  ),
  IMAGE_GONE: input(
    404,
    '{name} is no longer on {url}',
    'It was deleted or overwritten before it was fetched; previews disappear when the host restarts.',
  ),

  // studies
  STUDY_INVALID: input(422, 'the study does not fit: {field}: {reason}', 'Correct that field.'),
  ENDPOINT_REFUSED: input(
    422,
    '{model} refuses to rewrite the prompt: {reason}',
    'Use another model, or none: without --endpoint the phrase bank proposes.',
  ),
  JUDGE_REFUSED: input(
    422,
    '{model} refuses to judge the image: {reason}',
    'Such an image has no score by this model: use another one, or a scorer that runs here.',
  ),
  JUDGE_ANSWER: input(
    422,
    '{model} was asked for {aspect} and gave no rating ({words}): {fault}',
    'Name a model that looks at images and follows instructions. One that thinks aloud needs room: raise maxTokens of the judge.',
  ),
  LANGUAGE_TOO_LONG: input(
    422,
    'the image and what is asked of it are longer than {model} reads: {found}',
    'Use a smaller image or a shorter prompt, or start the model with a longer context or fewer slices of an image.',
  ),
  LANGUAGE_ANSWER: input(
    422,
    '{model} was asked for what {scorer} reads of the image, and did not say it: {fault}',
    'Name the model that the scorer was made with, in its languageModels setting; one that thinks aloud needs room: raise maxTokens there.',
  ),
  CALIBRATION_UNFIT: input(
    422,
    'no calibration of {scorer}: {reason}',
    'Rate more images, of all qualities; or use another model.',
  ),
  PROMPT_INPUT_UNKNOWN: input(
    422,
    'it is not clear which input of {source} holds the prompt: {reason}',
    'Name it: --input NODE.INPUT, with the id of the node as it stands in the exported workflow.',
  ),
  PROMPT_UNKNOWN: input(422, 'there is no prompt to refine: {reason}', 'Give it: --prompt "…".'),
  MEASURE_MISSING: input(
    422,
    'the images have no {measure} to pick by: {reason}',
    'Give the prompt with --prompt, choose another measure with --by, another scorer with --scorer, or look at the images.',
  ),
  TOOL_UNKNOWN: input(404, 'no tool {name} here; there are {known}', 'Call one of these.'),
  SEARCH_UNKNOWN: input(
    404,
    'no search {id} of this session{known}',
    'Name one that was started here; those of earlier sessions are gone on with by `resume`.',
  ),
  SEARCHES_FULL: input(
    409,
    '{count} searches run already, and no more are begun',
    'Wait for one, or stop one: stop_search.',
  ),
  STUDY_EXISTS: input(
    409,
    '{folder} holds {what} already',
    'Go on with it: --resume --out {folder}. Or name another folder with --out.',
  ),
  STUDY_MISSING: input(404, 'there is no study in {folder} to go on with', 'Name its folder with --out.'),
  STUDY_VERSION: input(
    422,
    'the study in {folder} is of version {found}, and this Assay reads version {expected}',
    'Go on with the Assay that began it, or begin anew in another folder.',
  ),
  STUDY_DAMAGED: input(
    422,
    '{path} is damaged in line {line}: {reason}',
    'Its images are untouched. Take the lines from there on away to go on from before them, or begin anew in another folder.',
  ),
  STUDY_UNKNOWN: input(404, 'no study {id} here', 'Begin it with POST /v1/studies, or check its id.'),
  STUDY_TAKEN: input(
    409,
    'study {id} was begun before, and not with this {field}',
    'Begin it with the same plan to go on with it, or under another id.',
  ),
  STUDIES_FULL: input(
    409,
    'there are {count} studies in {folder}, and no more may be begun',
    'Remove the folders of studies that are not needed while the daemon is stopped, or raise limits.maxStudies.',
  ),
  STUDY_HELD: input(409, 'the study in {folder} is run by {holder}', 'Wait for it, or stop it.'),
  NO_SEED: input(
    422,
    '{source} has no seed: no input named seed or noise_seed holds a number, so every image would be the same',
    'Set a seed in the workflow, or name what `assay best` is to vary: --vary NODE.INPUT=A,B,C.',
  ),
  INPUT_UNKNOWN: input(
    404,
    '{source} has no input "{name}"{hint}; {known}',
    'Write NODE.INPUT, with the id of the node as it stands in the exported workflow, or the name of a field of the request.',
  ),
  INPUT_LINKED: input(
    422,
    'input {name} of {source} has no value of its own: it comes from node {node}',
    'Name the input of the node that the value comes from.',
  ),
  NOTHING_NEW: input(
    422,
    'the host made nothing new for trial {id}: it answered with {image} of trial {earlier}, from its cache',
    'What is varied does not reach the image that is saved. Name the seed of the sampler that makes it: --vary NODE.seed.',
  ),
  PREVIEWS_NONE: input(
    422,
    'the host makes no previews while it samples, so that there is nothing to measure',
    'Switch them on: ComfyUI is started with --preview-method latent2rgb (or taesd). A sampler of its own may have none.',
  ),
  PREVIEWS_BATCH: input(
    422,
    'a run makes {images} images, and its previews show one of them, or all in one picture',
    'Set the batch size of the workflow to 1: previews stop a run as a whole.',
  ),
  PREVIEWS_FEW: input(
    422,
    '{images} images have a {measure} beside previews that have one, and it takes {least} to measure what they tell',
    'Make more with --images. Where hardly any preview has a score, as with previews that a guard takes for noise, they cannot be used.',
  ),
  PREVIEWS_INVALID: input(
    422,
    '{path} is no calibration of previews: {reason}',
    'Make one with `assay calibrate previews WORKFLOW`, or name another file with --previews.',
  ),
  TRIAL_UNKNOWN: input(
    404,
    'no trial {id} in this study, which has asked for {known} so far',
    'Tell the trials that it asked for, by their ids.',
  ),
  TRIAL_UNSCORED: retry(
    503,
    'image {image} of trial {id} could not be scored now: {reason}',
    'Tell the trial again after the stated pause; it is still open.',
  ),
  TRIAL_TOLD: input(409, 'trial {id} was told already', 'Tell each trial once; the first outcome counts.'),

  DAEMON_UNKNOWN: input(
    422,
    '{url} answers, but not as the Assay daemon: {found}',
    'Set ASSAY_URL to the address that `assay serve` prints, and start the host again.',
  ),

  // rejected images and scores in files
  PATH_OUTSIDE: input(403, '{path} lies outside {folder}', 'Only files inside that folder are touched.'),
  REJECT_UNKNOWN: input(404, 'no rejected image {id} in {folder}', 'Run `assay rejects list`.'),
  RESTORE_CONFLICT: input(
    409,
    'cannot restore to {path}: something is there already, and nothing is overwritten',
    'Move or rename what is there, or restore into another folder with --to DIR.',
  ),
  METADATA_UNSUPPORTED: input(
    415,
    '{path}: scores can be kept in PNG, JPEG and WebP files, not in this one',
    'Save the image in one of these formats.',
  ),
  METADATA_UNWRITABLE: input(422, 'cannot keep the score in {path}: {reason}', 'The file was left as it is.'),

  // again later
  DAEMON_UNREACHABLE: retry(
    503,
    'the Assay daemon does not answer at {url}: {reason}',
    'Start it with `assay serve` (in a checkout: `npm run assay -- serve`), or set ASSAY_URL to where it runs.',
  ),
  HOST_UNREACHABLE: retry(
    503,
    'nothing answers at {url}: {reason}',
    'Start the host, or correct the address (ComfyUI: http://127.0.0.1:8188, AUTOMATIC1111: http://127.0.0.1:7860).',
  ),
  HOST_FAILED: retry(
    503,
    '{url} failed: {reason}',
    'Look at the log of the host; the request is repeated where that can help.',
  ),
  PROMPT_LOST: retry(
    503,
    'run {id} is not known at {url}, or no longer',
    'It was deleted from the queue, the host or the program that waited for it was started anew, or the answer was cut off: submit it again.',
  ),
  ENDPOINT_UNREACHABLE: retry(
    503,
    'no answer from the language model at {url}: {reason}',
    'Start it, check the address, or give it more time with timeoutMs of the endpoint, judge or languageModels. `assay refine` works without one, too.',
  ),
  ENDPOINT_BUSY: retry(
    503,
    'the language model at {url} takes no more questions now: {reason}',
    'Ask less of it at once (concurrency beside its url), or wait: its limit may be one of requests a minute.',
  ),
  ENDPOINT_FAILED: retry(
    503,
    'the language model at {url} fails: {reason}',
    'Look at its log; it may be loading, busy, or out of memory.',
  ),
  ENDPOINT_ANSWER: retry(
    503,
    '{model} gave no answer that can be read, {tries} times: {fault}; the last one was: {found}',
    'Name a model that follows instructions better, or one whose server can hold it to a JSON schema.',
  ),
  RUN_FAILED: retry(
    503,
    'the host failed to make the image: {reason}',
    'Look at the log of the host. Trials that fail cost nothing of the budget; five in a row end a study.',
  ),
  RUN_UNSCORED: retry(
    503,
    'image {image} could not be scored: {reason}',
    'The image is kept in the folder of the study.',
  ),
  RUN_EMPTY: retry(
    503,
    'the run ended without an image to judge: {reason}',
    'The workflow needs a node that saves or previews the image; a host without nodes needs a model that is loaded: see its log.',
  ),
  REWARD_FAILED: retry(
    503,
    '{count} of {of} images have no reward yet; image {id}: {reason}',
    'Send it again; what was scored is remembered. POST /v1/rewards answers for each image by itself.',
  ),
  BUSY: retry(503, 'the queue is full ({waiting} images wait)', 'Send it again after the stated pause.'),
  CLIENT_BUSY: retry(
    503,
    'this client has {waiting} images waiting; its share of the queue is {limit}',
    'Send it again after the stated pause, or raise limits.maxQueuePerClient in the config.',
  ),
  DRAINING: retry(503, 'the daemon is shutting down', 'Send it again when it is back.'),
  DEADLINE: retry(
    503,
    'no score within {timeoutMs} ms',
    'Send again what has no score, and only that, or raise limits.requestTimeoutMs.',
  ),
  INFERENCE_FAILED: retry(
    503,
    'scorer {scorer} failed on this image: {reason}',
    'Try again; if it lasts, run `assay models verify` and `assay doctor`.',
  ),
  SCORER_RECOVERING: retry(
    503,
    'scorer {scorer} cannot score now and is being started again: {reason}',
    'Send it again after the stated pause; if it lasts, run `assay doctor` and `assay models verify`.',
  ),
  STORE_UNAVAILABLE: retry(
    503,
    'the history is not available: {reason}',
    'Scoring goes on without it, and it resumes by itself once the cause is gone.',
  ),

  // installation and configuration
  CONFIG_INVALID: setup('{source}: {key} is {found}; expected {expected}', 'Correct the value.'),
  CONFIG_UNREADABLE: setup('cannot read the config {path}: {reason}', 'Check the path and that it is JSON.'),
  TOKEN_REQUIRED: setup(
    'listening on {host}, beyond this machine, needs a token',
    'Put one into a file and start with --token-file, or set ASSAY_TOKEN_FILE or ASSAY_TOKEN, or listen on 127.0.0.1.',
  ),
  TOKEN_UNREADABLE: setup(
    'cannot take the token from {path}: {reason}',
    'The file must hold the token and nothing else, and be readable by this user.',
  ),
  ENDPOINT_DENIED: setup(
    'the language model at {url} lets nobody in: {reason}',
    'Give the key in ASSAY_ENDPOINT_API_KEY, or in a file that endpoint.apiKeyFile names; for a judge or the model of a scorer, in apiKey or apiKeyFile beside its url.',
  ),
  ENDPOINT_UNFIT: setup(
    '{url} does not answer as {what} does: {found}',
    'Name the address of an OpenAI-compatible API, e.g. http://127.0.0.1:11434/v1, and a model that it has; for hidden states, what docs/language-models.md starts.',
  ),
  LANGUAGE_MODEL_MISSING: setup(
    '{scorer} judges by what {model} holds of an image, and {lack}',
    'Start it with `python -m assay_training serve --model FOLDER` in training/ (docs/language-models.md), and name its address in languageModels of the config, under the id of the scorer.',
  ),
  LANGUAGE_STATES: setup(
    '{url} gave {found}, where {expected} are expected',
    'Start the model that the scorer was made with (docs/language-models.md); vLLM must serve it with --runner pooling --convert embed, and without normalising.',
  ),
  ENDPOINT_SPENT: setup(
    'the {limit} tokens for the language model at {url} are spent',
    'Raise endpoint.maxTokens, or ask for fewer rounds or variants.',
  ),
  PORT_IN_USE: setup(
    'port {port} on {host} is taken by another program',
    'Choose another with --port (0 picks a free one), or stop the other program.',
  ),
  SOCKET_IN_USE: setup(
    'another program listens on the socket {path}',
    'Choose another path with --socket, or stop the other program.',
  ),
  SOCKET_UNUSABLE: setup(
    'cannot listen on the socket {path}: {reason}',
    'Name a file in a folder that exists and can be written; the whole path may have about 100 characters.',
  ),
  LISTEN_FAILED: setup('cannot listen on {host}:{port}: {reason}', 'Choose another --host or --port.'),
  OUTPUT_DIR_UNUSABLE: setup(
    'the output folder {path} cannot be used: {reason}',
    "Name the host's output folder as seen from here, with --output-dir or `outputDir` of the host in the config.",
  ),
  OUTPUT_DIR_REQUIRED: setup(
    'the policy asks to {action} images, and no output folder of the host is allowed',
    'Pass --output-dir, or set `outputDir` of the host in the config, or use the action keep.',
  ),
  OUTPUT_DIR_UNKNOWN: setup(
    'the output folder of {url} is not known, and what it makes is told by that folder alone: {reason}',
    'Name it as seen from here, with --output-dir or a1111.outputDir in the config.',
  ),
  OUTPUT_DIR_OTHER: setup(
    '{url} does not write to {path}: it says that its images go to {told}',
    'Correct --output-dir, or `outputDir` of the host in the config, unless both are one folder under two names.',
  ),
  WATCH_HELD: setup(
    '{url} is watched already with {dataDir}, by {holder}',
    'Stop that one, or give this one a --data-dir of its own.',
  ),
  LINK_OUTSIDE: setup(
    '{path} lies behind a link that leads out of {folder}, to {target}',
    'Add that folder to `linkedDirs` of the host in the config.',
  ),
  REJECT_BIN_UNUSABLE: setup(
    'the reject bin {path} cannot be used: {reason}',
    'Correct its permissions, or choose another folder with rejectDir in the config.',
  ),
  MOVE_DENIED: setup(
    '{path} was left where it is: {reason}',
    'Let this user write to the folder that the image lies in.',
  ),
  PYTHON_PACKAGE_MISSING: setup(
    'the Python package {package} is not installed where ComfyUI runs',
    'Run `python -m pip install {package}` with the Python of ComfyUI, then start ComfyUI again.',
  ),
  SHELF_UNWRITABLE: setup(
    'the shelf in {folder} cannot be written: {reason}',
    'Free some space there, and see that ComfyUI may write there. What was on the shelf before is still on it.',
  ),
  SHELF_DAMAGED: setup(
    'the shelf in {folder} cannot be read: {reason}',
    'Switch reset on for one run, which begins anew, or give the node another name. The images in that folder are untouched until then.',
  ),
  SHELVES_FULL: setup(
    'there are {count} shelves in {folder}, and no more are begun',
    'Remove the folders of those that are not needed, or use a name that there is.',
  ),
  INSTALL_TARGET: setup(
    'cannot install into {path}: {reason}',
    'Name the folder of the host that holds custom_nodes (ComfyUI) or extensions (AUTOMATIC1111 and its forks), and see that it can be written.',
  ),
  INSTALL_CONFLICT: setup('{path} is in the way: {reason}', 'Move it away, or pass --force to replace it.'),
  MANIFEST_INVALID: setup('{path}: {reason}', 'Compare the file with models/manifest.schema.json.'),
  VARIANT_UNKNOWN: setup(
    'scorer {scorer} has no variant "{variant}"; it has {known}',
    'Correct --variant, or `variant` in the config: it holds for every scorer.',
  ),
  MODELS_UNREADABLE: setup(
    'cannot look for models in {path}: {reason}',
    'Name a folder that holds model folders, with --models or modelDirs in the config.',
  ),
  MODEL_NOT_COPIED: setup(
    'cannot copy the model to {folder}: {reason}',
    'Let this user write there and see that the disk has room, or choose another place with --data-dir.',
  ),
  MODEL_FILE_UNREADABLE: setup(
    'cannot read {path}: {reason}',
    'Correct its permissions, or import the model again.',
  ),
  MODEL_FILE_MISSING: setup(
    '{folder}: the manifest names {file}, which is absent',
    'Copy or import the model again.',
  ),
  MODEL_HASH_MISMATCH: setup(
    '{file}: sha256 is {found}, the manifest says {expected}',
    'The file was changed or cut short: import the model again.',
  ),
  MODEL_WEIGHTS_UNLISTED: setup(
    '{graph} reads its weights from {file}; {manifest} lists no such file, or not as {expected}: nothing says what they must be',
    'Import or convert the model again; weights beside a graph are in {expected}, which the manifest lists under files.',
  ),
  MODEL_EXISTS: setup(
    'model {id} is installed already in {folder}',
    'Pass --force to replace an imported one; beside any other, give yours a version of its own.',
  ),
  MODEL_UNFIT: setup(
    'scorer {scorer}: graph {file}: {reason}',
    'The graph and its manifest disagree: export the model again.',
  ),
  GOLDEN_MISMATCH: setup(
    'scorer {scorer} is not served: on {provider} it gives other scores here than where it was made ({image}, {aspect}: {found} instead of {expected})',
    'Run `assay models verify`. Update the driver, choose another provider with --providers, or import the model again.',
  ),
  MODEL_LOAD_FAILED: setup(
    'cannot load scorer {scorer}: {reason}',
    'Run `assay doctor` and `assay models verify`.',
  ),
  PROVIDER_UNAVAILABLE: setup('execution provider {provider} is not available: {reason}', '{install}'),
  BACKEND_MISSING: setup('scorer {scorer} needs the {backend} backend, which is not installed', '{install}'),

  // ours
  INTERNAL: entry({
    kind: 'internal',
    status: 500,
    message: 'unexpected failure: {reason}',
    fix: 'This is a bug in Assay: please report it with the log line.',
  }),
} as const satisfies Record<string, Entry>;

export type ErrorCode = keyof typeof ERRORS;
