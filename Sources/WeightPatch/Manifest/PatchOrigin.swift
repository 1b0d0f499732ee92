/// What a patch says of those who made it.
public struct PatchOrigin: Sendable {
  /// When, in ISO 8601, UTC.
  public var created: String
  public var tool: Manifest.Tool
  public var author: String?
  public var licence: String?
  public var note: String?

  public init(
    created: String, tool: Manifest.Tool, author: String? = nil, licence: String? = nil, note: String? = nil
  ) {
    self.created = created
    self.tool = tool
    self.author = author
    self.licence = licence
    self.note = note
  }
}

extension Manifest {
  /// The same patch, made by others.
  package func made(by origin: PatchOrigin) -> Manifest {
    var manifest = self
    manifest.created = origin.created
    manifest.tool = origin.tool
    manifest.author = origin.author
    manifest.licence = origin.licence
    manifest.note = origin.note
    return manifest
  }

  /// The same patch, made of another by others: the author of the facts stays, and whoever changed them stands beside
  /// the change.
  package func derived(by origin: PatchOrigin) -> Manifest {
    var manifest = self
    manifest.created = origin.created
    manifest.tool = origin.tool
    manifest.derivation?.author = origin.author
    return manifest
  }
}
