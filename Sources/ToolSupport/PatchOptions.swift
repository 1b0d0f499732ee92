import ArgumentParser
import WeightPatch

/// Where a patch goes, and whether it may replace another one.
public struct PatchOutputOptions: ParsableArguments {
  @Option(name: [.customShort("o"), .customLong("output")], help: "The patch to write, - for standard output.")
  public var path: String

  @OptionGroup
  public var replacement: ReplaceOption

  public init() {}
}

/// Who makes a patch, and on what terms.
public struct OriginOptions: ParsableArguments {
  @Option(help: "Who made the patch.")
  public var author: String?

  @Option(help: "The licence of the patch.")
  public var licence: String?

  @Option(help: "A note for whoever reads the patch.")
  public var note: String?

  public init() {}

  public var areGiven: Bool { author != nil || licence != nil || note != nil }
  public func origin() -> PatchOrigin { .now(author: author, licence: licence, note: note) }
}

/// For a patch that is made of another one.
public struct DerivationOptions: ParsableArguments {
  @Option(help: "The checkpoint that the patch is for: records the digests of the result.")
  public var base: String?

  @Option(help: "Who made it of the other patch.")
  public var author: String?

  public init() {}

  public var areGiven: Bool { base != nil || author != nil }
  public func origin() -> PatchOrigin { .now(author: author) }
}

extension PatchOrigin {
  /// This version of the tools, at this moment.
  public static func now(author: String? = nil, licence: String? = nil, note: String? = nil) -> PatchOrigin {
    PatchOrigin(
      created: timestamp(), tool: Manifest.Tool(name: "errata", version: errataVersion), author: author,
      licence: licence, note: note)
  }
}
