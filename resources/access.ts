/**
 * Who may do what: asked for every read, list, watch and write, on every path. The policy itself is not the engine's; until
 * there is one, `fullAccess` stands in its place.
 */
export interface Access {
  /** The authenticated name of the caller, `operator/alice`. */
  readonly principal: string;
  /** Whether the request as a whole is allowed; for lists and watches: whether anything of it may be. */
  allows(attributes: AccessAttributes): boolean;
  /** For lists and watches: whether one object may be seen. Undefined: all that the request was allowed for. */
  filter?(
    attributes: AccessAttributes,
  ): ((object: { readonly namespace: string; readonly name: string }) => boolean) | undefined;
  /** As `allows`, and which rule decides. */
  explain?(attributes: AccessAttributes): { readonly allowed: boolean; readonly rule: string };
  /** Told when what this allows may have changed: watches are asked about again. Missing: it never changes. Returns the function that ends it. */
  onChange?(listener: () => void): () => void;
}

/** As Kubernetes' authorization attributes, and the edge. */
export interface AccessAttributes {
  /** Empty: the fleet's own resources. */
  readonly edge: string;
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource: string;
  /** Empty: all, or none. */
  readonly namespace: string;
  readonly name: string;
  /** What is reached at an edge where no object is named; missing: its Kubernetes API, or the fleet's. */
  readonly service?: string;
  /** The path at that service, without the query; for `connect` to what is no service the address. */
  readonly path?: string;
}

export function fullAccess(principal: string): Access {
  return { principal, allows: () => true };
}
