// Which addresses may become links.

/** Whether a text is an absolute http or https address; `javascript:` and relative ones are not. */
export function isWebAddress(text: string): boolean {
  if (!/^https?:\/\/\S+$/i.test(text)) return false;
  return URL.canParse ? URL.canParse(text) : true;
}
