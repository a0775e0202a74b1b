/** How a node of the ComfyUI pack, and the panel of a host without nodes, is described. Plain data; the Python side builds from it. */

export type SocketType = 'IMAGE' | 'MASK' | 'LATENT' | 'STRING' | 'FLOAT' | 'INT';

interface InputBase {
  name: string;
  /** Said when the mouse rests on the input. */
  tooltip: string;
}

/** An input that must or may be connected, without a widget. */
interface LinkInput extends InputBase {
  type: 'IMAGE' | 'MASK' | 'LATENT';
  optional?: boolean;
  /** Not computed for this node's sake: only the link itself is looked at. */
  lazy?: boolean;
  /** The link itself is handed over, not what comes by it. */
  rawLink?: boolean;
}

export interface TextInput extends InputBase {
  type: 'STRING';
  optional: true;
  default: string;
  multiline?: boolean;
}

export interface NumberInput extends InputBase {
  type: 'FLOAT' | 'INT';
  default: number;
  min: number;
  max: number;
  step: number;
}

export interface BooleanInput extends InputBase {
  type: 'BOOLEAN';
  default: boolean;
}

export interface ChoiceInput extends InputBase {
  type: 'COMBO';
  choices: readonly string[];
  default: string;
}

/** A choice of a panel: the same, with what a page shows of it. */
export type PanelInput = (TextInput | NumberInput | BooleanInput | ChoiceInput) & {
  /** Name for people. */
  label: string;
  /** In few words, where the tooltip has many; a page has little room. */
  hint?: string;
  /** The row that it stands in, counted from 0. */
  row: number;
  /** Folded away: what most people leave as it is. */
  more?: true;
};

export type NodeInput = LinkInput | TextInput | NumberInput | BooleanInput | ChoiceInput;

export interface NodeOutput {
  name: string;
  type: SocketType;
  /** One element per image instead of one value. */
  list: boolean;
  tooltip: string;
}

/** Values that ComfyUI fills in itself. */
export type Hidden = 'UNIQUE_ID' | 'DYNPROMPT';

export interface NodeDefinition {
  /** Name in saved workflows; never changes. */
  id: string;
  displayName: string;
  description: string;
  /** Other words under which people look for it. */
  searchAliases: readonly string[];
  /** Gets whole lists in one call; else it is called once per element. */
  takesLists: boolean;
  /** Runs even when nothing uses its outputs. */
  isEnd: boolean;
  inputs: readonly NodeInput[];
  /** By parameter name of the Python function. */
  hidden: Readonly<Record<string, Hidden>>;
  /** Order is part of saved workflows: only ever append. */
  outputs: readonly NodeOutput[];
}
