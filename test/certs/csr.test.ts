import { createPublicKey, createPrivateKey, generateKeyPairSync } from 'node:crypto';
import t from 'tap';
import { makeCertificateRequest, readCertificateRequest } from '../../certs/index.ts';

t.test(
  'a request gives back the key that it was made for, and made again with that key it is for the same',
  async (t) => {
    const { csrPem, keyPem } = await makeCertificateRequest();
    const key = await readCertificateRequest(csrPem);
    t.ok(key.equals(createPublicKey(createPrivateKey(keyPem))));
    t.equal(key.asymmetricKeyDetails?.namedCurve, 'prime256v1');
    const again = await makeCertificateRequest(keyPem);
    t.equal(again.keyPem, keyPem);
    t.ok((await readCertificateRequest(again.csrPem)).equals(key));
  },
);

t.test('a request whose signature is not of its key proves nothing', async (t) => {
  const [mine, other] = [await makeCertificateRequest(), await makeCertificateRequest()];
  // The key of the one under the signature of the other: somebody asks for a certificate for a key that he does not have.
  const [a, b] = [der(mine.csrPem), der(other.csrPem)];
  const spki = (bytes: Buffer): number => bytes.indexOf(Buffer.from('034200', 'hex')) + 3;
  b.copy(a, spki(a), spki(b), spki(b) + 65);
  await t.rejects(readCertificateRequest(pem(a)), { code: 'request-malformed', message: /signature/ });
});

t.test('a request for a key that nothing is issued for is refused, whatever it is signed with', async (t) => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'secp521r1' });
  await t.rejects(makeCertificateRequest(String(privateKey.export({ type: 'pkcs8', format: 'pem' }))));
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ type: 'spki', format: 'der' });
  const { csrPem } = await makeCertificateRequest();
  const bytes = der(csrPem);
  const at = bytes.indexOf(Buffer.from('3059301306072a8648ce3d0201', 'hex'));
  t.not(at, -1);
  const swapped = relengthened(bytes, at, 0x5b, rsa);
  await t.rejects(readCertificateRequest(pem(swapped)), { code: 'cert-algorithm' });
});

t.test('what is no request is refused, and nothing is read beyond the limit', async (t) => {
  const { csrPem } = await makeCertificateRequest();
  const bytes = der(csrPem);
  for (const [what, text] of [
    ['nothing', ''],
    ['a word', 'request'],
    ['two requests', csrPem + csrPem],
    ['a text around it', `Hello\n${csrPem}`],
    ['another block', csrPem.replaceAll('CERTIFICATE REQUEST', 'CERTIFICATE')],
    ['half of it', pem(bytes.subarray(0, bytes.length / 2))],
    ['a bit more', pem(Buffer.concat([bytes, bytes]))],
    ['too long', csrPem.replace('\n', `\n${' '.repeat(9000)}`)],
    ['zeros', pem(Buffer.alloc(200))],
  ] as const)
    await t.rejects(readCertificateRequest(text), { code: 'request-malformed' }, what);
});

t.test('with a bit turned it is refused, or still for the key that its maker has', async (t) => {
  const { csrPem } = await makeCertificateRequest();
  const key = await readCertificateRequest(csrPem);
  const bytes = der(csrPem);
  let refused = 0;
  for (let bit = 0; bit < bytes.length * 8; bit += 5) {
    const turned = Buffer.from(bytes);
    turned.writeUInt8(turned.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    try {
      const read = await readCertificateRequest(pem(turned));
      // A name of a type in what is not signed: it says nothing that counts.
      t.ok(read.equals(key), `bit ${bit}`);
    } catch {
      refused += 1;
    }
  }
  t.ok(refused > (bytes.length * 8) / 5 - 20, `${refused} refused`);
});

function der(csrPem: string): Buffer {
  return Buffer.from(csrPem.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64');
}

function pem(bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE REQUEST-----\n${lines.join('\n')}\n-----END CERTIFICATE REQUEST-----\n`;
}

/** The request with another element in place of one, and the two lengths around it as they have to be. */
function relengthened(bytes: Buffer, at: number, length: number, element: Buffer): Buffer {
  const { offset: outer } = header(bytes, 0);
  const { offset: inner, length: innerLength } = header(bytes, outer);
  const body = Buffer.concat([bytes.subarray(inner, at), element, bytes.subarray(at + length, inner + innerLength)]);
  const info = sequence(body);
  return sequence(Buffer.concat([info, bytes.subarray(inner + innerLength)]));
}

function header(bytes: Buffer, at: number): { readonly offset: number; readonly length: number } {
  const first = bytes.readUInt8(at + 1);
  if (first < 0x80) return { offset: at + 2, length: first };
  const count = first & 0x7f;
  return { offset: at + 2 + count, length: bytes.readUIntBE(at + 2, count) };
}

function sequence(content: Buffer): Buffer {
  const { length } = content;
  const head =
    length < 0x80 ? [0x30, length] : length < 0x100 ? [0x30, 0x81, length] : [0x30, 0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from(head), content]);
}
