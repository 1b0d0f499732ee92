import Tensors

/// What a patch says about itself (Spec: manifest): a value for every field, nil for an optional one that is absent.
///
/// The text in a file is the manifest; these values are read from it. Digests and signatures are made of the text's
/// bytes, never of a text written anew.
public struct Manifest: Sendable, Equatable {

  /// When, in ISO 8601, UTC: `2026-01-31T12:00:00Z`.
  public var created: String
  public var tool: Tool
  public var base: Base
  /// Per edited tensor the digest after exact apply on the base with the parents' batches and this patch's own.
  public var result: [ByteString: Digest]?
  public var batches: [Batch]
  public var parents: [Parent]
  /// The patch that this one was made from, without its model.
  public var derivation: Derivation?
  /// The patches that were stacked to make this one.
  public var sources: [Source]
  public var author: String?
  public var licence: String?
  public var note: String?
  /// What a file said that is in a higher format than its fields need.
  private var declaredFormat = 1

  /// The format that the patch is written in: the lowest that says everything, or what its file said.
  public var format: Int { max(neededFormat, declaredFormat) }

  /// The number of facts in all batches.
  var factCount: Int { batches.reduce(0) { $0 + $1.facts.count } }

  public init(
    created: String, tool: Tool, base: Base, result: [ByteString: Digest]? = nil, batches: [Batch],
    parents: [Parent] = [], derivation: Derivation? = nil, sources: [Source] = [], author: String? = nil,
    licence: String? = nil, note: String? = nil
  ) {
    self.created = created
    self.tool = tool
    self.base = base
    self.result = result
    self.batches = batches
    self.parents = parents
    self.derivation = derivation
    self.sources = sources
    self.author = author
    self.licence = licence
    self.note = note
  }

  /// Reads a manifest's text. Unknown fields are ignored (Spec: a reader's duties).
  ///
  /// - Parameter source: the patch's path, for messages.
  /// - Throws: an `ErrataError` of category `damagedInput` that names the field.
  public init(parsing text: [UInt8], source: String) throws {
    let json: JSON
    do {
      json = try JSON.parse(text, maximumValueCount: PatchLimits.manifestValueCount)
    } catch {
      throw ErrataError.manifestNotJSON(source, error)
    }
    guard let members = json.objectValue else { throw ErrataError.manifestNotAnObject(source) }
    let object = ManifestObject(object: members, path: "", source: source)
    // What a newer format has in its other fields is not known here.
    let format = try object.required(ManifestValue.integer.read("format", object), "format")
    guard Self.formatVersions.contains(format) else { throw ErrataError.newerFormat(source, "\(format)") }
    try self.init(object)
    guard neededFormat <= format else { throw object.wrong("format", "\(neededFormat), which its fields need") }
    if format > neededFormat { declaredFormat = format }
  }

  /// The manifest's text: sorted keys, no white space, UTF-8.
  public func serialized() -> [UInt8] { json.serialized() }

  /// For `--json`.
  public var json: JSON { .object(members) }

  /// The program that wrote the patch.
  public struct Tool: Sendable, Equatable {
    public var name: String
    public var version: String

    public init(name: String, version: String) {
      self.name = name
      self.version = version
    }
  }

  /// The checkpoint that the patch was made for, without any patch.
  public struct Base: Sendable, Equatable {
    public var name: String?
    /// `model_type` of config.json: `llama`, `gpt2`, ...
    public var architecture: String?
    /// SHA-256 of the file's bytes.
    public var configuration: Digest?
    /// SHA-256 of the file's bytes.
    public var tokenizer: Digest?
    /// Every edited tensor.
    public var tensors: [ByteString: BaseTensor]

    public init(
      name: String? = nil, architecture: String? = nil, configuration: Digest? = nil, tokenizer: Digest? = nil,
      tensors: [ByteString: BaseTensor]
    ) {
      self.name = name
      self.architecture = architecture
      self.configuration = configuration
      self.tokenizer = tokenizer
      self.tensors = tensors
    }
  }

  /// An edited tensor as it stands in the base.
  public struct BaseTensor: Sendable, Equatable {
    public var dtype: DType
    /// As stored.
    public var shape: Shape
    /// Whether it is stored as [d_in, d_out].
    public var isTransposed: Bool
    /// The tensor digest.
    public var digest: Digest

    public init(dtype: DType, shape: Shape, isTransposed: Bool, digest: Digest) {
      self.dtype = dtype
      self.shape = shape
      self.isTransposed = isTransposed
      self.digest = digest
    }
  }

  /// A patch that was on the base when this one was computed.
  public struct Parent: Sendable, Equatable {
    /// Its patch ID.
    public var patch: Digest
    /// The digests of its batches.
    public var batches: [Digest]

    public init(patch: Digest, batches: [Digest]) {
      self.patch = patch
      self.batches = batches
    }
  }

  /// How a patch was made from another one. The manifest's author is still the one of the facts.
  public struct Derivation: Sendable, Equatable {
    /// The patch ID of the other one.
    public var patch: Digest
    /// What was done, for people: "lambda 10".
    public var change: String
    /// Who did it.
    public var author: String?

    public init(patch: Digest, change: String, author: String? = nil) {
      self.patch = patch
      self.change = change
      self.author = author
    }
  }

  /// One of the patches that a stack was made of.
  public struct Source: Sendable, Equatable {
    /// Its patch ID.
    public var patch: Digest
    /// The digests of its batches, in its order. The stack carries those that it did not solve again.
    public var batches: [Digest]
    public var author: String?
    public var licence: String?
    public var note: String?

    public init(
      patch: Digest, batches: [Digest], author: String? = nil, licence: String? = nil, note: String? = nil
    ) {
      self.patch = patch
      self.batches = batches
      self.author = author
      self.licence = licence
      self.note = note
    }
  }
}
