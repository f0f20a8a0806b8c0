import { test } from 'tap';
import { watchLines } from '../../../resources/client/watch-lines.ts';

async function linesOf(text: string, chunkBytes: number, maxLineBytes = 1000): Promise<string[]> {
  const bytes = Buffer.from(text);
  async function* body(): AsyncGenerator<Uint8Array> {
    const chunk = Buffer.alloc(chunkBytes);
    for (let at = 0; at < bytes.length; at += chunkBytes) {
      // Who gives chunks may use their memory again.
      const size = bytes.copy(chunk, 0, at);
      yield chunk.subarray(0, size);
      chunk.fill(0x58);
    }
  }
  const lines: string[] = [];
  for await (const line of watchLines(body(), maxLineBytes)) lines.push(String(line));
  return lines;
}

test('lines are the same, whatever the chunks', async (t) => {
  const text = '{"a":"\u20ac😀"}\n{}\n\n{"long":"xxxxxxxxxxxxxxxxxxxxxxxxx"}\r\nnot ended';
  const expected = ['{"a":"\u20ac😀"}', '{}', '{"long":"xxxxxxxxxxxxxxxxxxxxxxxxx"}\r'];
  for (let size = 1; size < 80; size++) t.strictSame(await linesOf(text, size), expected, `${size}`);
});

test('a line is bounded, ended or not, and the bound is of one line', async (t) => {
  const many = 'x'.repeat(9).concat('\n').repeat(500);
  t.equal((await linesOf(many, 7, 10)).length, 500);
  await t.rejects(linesOf('x'.repeat(1000), 7, 10), { code: 'answer-too-large' });
  await t.rejects(linesOf(`ok\n${'x'.repeat(11)}\n`, 100, 10), { code: 'answer-too-large' });
});
