/** One element of DER (X.690); `parts` are its content. What is written here is far below 64 KiB. */
export function derElement(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const header =
    length < 0x80 ? [tag, length] : length < 0x100 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(header), content]);
}

export function derSequence(...parts: readonly Buffer[]): Buffer {
  return derElement(0x30, ...parts);
}

export function derOctets(bytes: Buffer): Buffer {
  return derElement(0x04, bytes);
}

/** A positive number below 2^31. */
export function derInteger(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  const first = bytes.findIndex((byte) => byte !== 0);
  const short = bytes.subarray(first === -1 ? 3 : first);
  return derElement(0x02, ...(short.readUInt8(0) >= 0x80 ? [Buffer.alloc(1)] : []), short);
}

/** `text` in dots: `1.2.840.113549.1.5.13`. */
export function derOid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  const bytes = [first * 40 + second, ...rest].flatMap((arc) => {
    const groups = [arc & 0x7f];
    for (let left = arc >>> 7; left > 0; left >>>= 7) groups.unshift((left & 0x7f) | 0x80);
    return groups;
  });
  return derElement(0x06, Buffer.from(bytes));
}
