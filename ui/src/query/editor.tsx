// The PromQL editor: highlighting, completion from the node's own series, linting, Enter to run.
import {
  autocompletion,
  closeBrackets,
  closeBracketsKeymap,
  completionKeymap,
  type CompletionContext,
  type CompletionResult,
} from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap, insertNewlineAndIndent } from '@codemirror/commands';
import { HighlightStyle, bracketMatching, indentOnInput, syntaxHighlighting } from '@codemirror/language';
import { lintKeymap } from '@codemirror/lint';
import { EditorState, type Extension, Prec } from '@codemirror/state';
import { type Command, EditorView, keymap, placeholder } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import { type CompleteStrategy, PromQLExtension, newCompleteStrategy } from '@prometheus-io/codemirror-promql';
import { useEffect, useRef } from 'preact/hooks';
import { basePath } from '../router';
import { pastQueries } from './history';

const highlighting = HighlightStyle.define([
  { tag: tags.number, color: 'var(--code-number)' },
  { tag: tags.string, color: 'var(--code-string)' },
  { tag: [tags.keyword, tags.modifier], color: 'var(--code-keyword)', fontWeight: '600' },
  { tag: tags.function(tags.variableName), color: 'var(--code-function)' },
  { tag: tags.labelName, color: 'var(--code-label)' },
  { tag: tags.operator, color: 'var(--code-operator)' },
  { tag: tags.comment, color: 'var(--text-muted)', fontStyle: 'italic' },
  { tag: tags.invalid, color: 'var(--bad-text)' },
]);

// The node's answers, plus past expressions while the editor is empty.
function completion(): CompleteStrategy {
  const remote = newCompleteStrategy({
    remote: { url: basePath().replace(/\/$/, ''), httpMethod: 'GET', httpErrorHandler: () => undefined },
  });
  return {
    async promQL(context: CompletionContext): Promise<CompletionResult | null> {
      const found = await Promise.resolve(remote.promQL(context));
      if (context.state.doc.length > 0) return found;
      const past = pastQueries()
        .slice(0, 10)
        .map((expr, i) => ({
          label: expr.length > 70 ? `${expr.slice(0, 70)}…` : expr,
          apply: expr,
          detail: 'run before',
          type: 'text',
          boost: 99 - i,
        }));
      if (past.length === 0) return found;
      return { from: context.pos, ...found, options: [...past, ...(found?.options ?? [])] };
    },
    destroy: () => remote.destroy?.(),
  };
}

function replaceAll(view: EditorView, text: string): void {
  view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text }, selection: { anchor: text.length } });
}

/** Alt-Up and Alt-Down walk through past expressions; what was being written comes back at the end. */
function historyWalk(): (view: EditorView, direction: 1 | -1) => boolean {
  let position = -1;
  let unfinished = '';
  return (view, direction) => {
    const past = pastQueries();
    if (position >= 0 && past[position] !== view.state.doc.toString()) position = -1;
    if (position === -1) unfinished = view.state.doc.toString();
    let next = position + direction;
    if (past[next] === view.state.doc.toString()) next += direction;
    if (next >= past.length || next < -1) return true;
    position = next;
    replaceAll(view, next === -1 ? unfinished : (past[next] ?? ''));
    return true;
  };
}

function extensions(promql: PromQLExtension, run: Command, onChange: (text: string) => void): Extension[] {
  const walk = historyWalk();
  return [
    history(),
    indentOnInput(),
    bracketMatching(),
    closeBrackets(),
    autocompletion({ icons: false }),
    promql.asExtension(),
    syntaxHighlighting(highlighting),
    EditorView.lineWrapping,
    placeholder('Expression (Enter runs, Shift-Enter breaks the line)'),
    EditorView.contentAttributes.of({ 'aria-label': 'PromQL expression', 'aria-multiline': 'true' }),
    Prec.high(
      keymap.of([
        { key: 'Enter', run },
        { key: 'Shift-Enter', run: insertNewlineAndIndent },
        { key: 'Mod-Enter', run },
        { key: 'Alt-ArrowUp', run: (view) => walk(view, 1) },
        { key: 'Alt-ArrowDown', run: (view) => walk(view, -1) },
      ]),
    ),
    keymap.of([...closeBracketsKeymap, ...completionKeymap, ...defaultKeymap, ...historyKeymap, ...lintKeymap]),
    // Last, so that Escape closes the completions and the lint panel first.
    Prec.lowest(keymap.of([{ key: 'Escape', run: leave }])),
    EditorView.updateListener.of((update) => {
      if (update.docChanged) onChange(update.state.doc.toString());
    }),
  ];
}

function leave(view: EditorView): boolean {
  view.contentDOM.blur();
  return true;
}

/**
 * What the editor tells and is told. The text being written belongs to the editor: telling it that text back at each change
 * would fight with fast typing.
 */
export interface EditorProps {
  /** Filled with a way to put text in at the cursor. */
  handle: { current: ((text: string) => void) | null };
  /** The text to show: put in place of the editor's own when it changes to something other than what was just run. */
  text: string;
  /** Counts the times that `text` was asked for although it had not changed. */
  revision: number;
  autoFocus?: boolean;
  onChange(text: string): void;
  onRun(text: string): void;
}

export function Editor(props: EditorProps) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const latest = useRef(props);
  latest.current = props;
  // What the node was last asked, by Enter or from outside.
  const ran = useRef(props.text);
  const seen = useRef(props.revision);
  const run = (editor: EditorView): boolean => {
    ran.current = editor.state.doc.toString();
    latest.current.onRun(ran.current);
    return true;
  };

  useEffect(() => {
    const promql = new PromQLExtension().setComplete({ completeStrategy: completion() });
    const editor = new EditorView({
      parent: host.current as HTMLDivElement,
      state: EditorState.create({
        doc: latest.current.text,
        selection: { anchor: latest.current.text.length },
        extensions: extensions(promql, run, (text) => latest.current.onChange(text)),
      }),
    });
    view.current = editor;
    latest.current.handle.current = (text) => {
      editor.dispatch(editor.state.replaceSelection(text));
      editor.focus();
    };
    if (latest.current.autoFocus) editor.focus();
    return () => {
      editor.destroy();
      promql.destroy();
    };
  }, []);

  useEffect(() => {
    const editor = view.current;
    const wanted = props.text !== ran.current || props.revision !== seen.current;
    ran.current = props.text;
    seen.current = props.revision;
    if (editor && wanted && editor.state.doc.toString() !== props.text) replaceAll(editor, props.text);
  }, [props.text, props.revision]);

  return <div class="editor" ref={host} data-testid="query-editor" />;
}
