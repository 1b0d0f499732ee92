import Foundation
import Tensors

/// What has been applied to a checkpoint, and what leads back (Spec: ledger).
public struct Ledger: Sendable, Equatable {
  public static let formatVersion = 1

  /// The applied patches, in the order in which they came. The order is a record: the bytes do not depend on it.
  public var patches: [Entry] = []
  /// Every tensor that a batch of these patches edits.
  public var tensors: [ByteString: TensorState] = [:]

  public struct Entry: Sendable, Equatable {
    /// The patch ID.
    public var patch: Digest
    /// The name of the file that it came in, for people.
    public var name: String
    /// When, in ISO 8601, UTC.
    public var applied: String
  }

  public struct TensorState: Sendable, Equatable {
    /// The tensor's digest without any patch.
    public var base: Digest
    /// Its digest now.
    public var current: Digest
  }
}

/// Where a checkpoint's ledger lies: `.errata` in its directory, `FILE.errata` beside a bare file.
struct LedgerLocation: Sendable {
  let directory: String

  init(directory: String) { self.directory = directory }

  init(checkpoint path: String, isDirectory: Bool) {
    directory = isDirectory ? path + "/" + Self.name : path + Self.name
  }

  static let name = ".errata"

  /// The next ledger in the making, with the journal of a change that has begun, if it is there.
  var change: LedgerLocation { LedgerLocation(directory: directory + ".change") }
  /// The next ledger, of a change that is complete, if it is there.
  var next: LedgerLocation { LedgerLocation(directory: directory + ".next") }
  /// The ledger that was replaced, on its way out.
  var previous: String { directory + ".old" }
  var journal: String { directory + "/journal" }

  var manifest: String { directory + "/ledger.json" }
  var patches: String { directory + "/patches" }
  var undoRecords: String { directory + "/undo" }

  /// Whether there is a ledger, or a change has begun that could lead to one.
  var isInUse: Bool {
    [directory, change.directory, next.directory].contains { FileManager.default.fileExists(atPath: $0) }
  }

  func patch(_ identifier: Digest) -> String { "\(patches)/\(identifier).wpatch" }

  /// - Throws: an `ErrataError` if the patch is damaged, or another one.
  func openPatch(_ identifier: Digest) throws -> PatchFile {
    let file = try PatchFile(path: patch(identifier))
    guard file.identifier == identifier else { throw ErrataError.wrongPatchInLedger(file.path, file.identifier) }
    return file
  }

  /// Named for the digest of the tensor's name, which need not be fit for a file name.
  func undoRecord(of tensor: ByteString) -> String { "\(undoRecords)/\(Digest(of: tensor.bytes)).undo" }
}

// MARK: - The file

extension Ledger {
  /// More than any real ledger; what is larger is not read.
  static let largestFile = 64 << 20
  static let largestValueCount = 600_000

  /// - Throws: an `ErrataError` (damaged input) that names the file and the field.
  init(path: String) throws {
    let file = try MappedFile(path: path)
    guard file.bytes.count <= Self.largestFile else { throw ErrataError.damagedLedger(path, "it is too large") }
    let json: JSON
    do {
      json = try withExtendedLifetime(file) { () throws(JSONSyntaxError) in
        try JSON.parse(file.bytes, maximumValueCount: Self.largestValueCount)
      }
    } catch {
      throw ErrataError.damagedLedger(path, "not valid JSON at byte \(error.offset): \(error.reason)")
    }
    guard let version = json["version"]?.integerValue else {
      throw ErrataError.damagedLedger(path, "it has no version")
    }
    guard version == Self.formatVersion else { throw ErrataError.ledgerVersion(path, version) }
    guard let patches = json["patches"]?.arrayValue, let tensors = json["tensors"]?.objectValue else {
      throw ErrataError.damagedLedger(path, "patches or tensors are missing")
    }
    for (position, entry) in patches.enumerated() {
      guard let patch = entry.digest("id"), let name = entry.line("name"), let applied = entry.line("applied") else {
        throw ErrataError.damagedLedger(path, "patches[\(position)] is not an entry")
      }
      guard !self.patches.contains(where: { $0.patch == patch }) else {
        throw ErrataError.damagedLedger(path, "patch \(patch.abbreviated) is there twice")
      }
      self.patches.append(Entry(patch: patch, name: name, applied: applied))
    }
    for (name, value) in tensors.members {
      guard let base = value.digest("base"), let current = value.digest("current") else {
        throw ErrataError.damagedLedger(path, "tensor \"\(name)\" has no digests")
      }
      self.tensors[name] = TensorState(base: base, current: current)
    }
  }

  /// The file's text; the same ledger gives the same bytes.
  func serialized() -> [UInt8] {
    var states = JSONObject()
    for (name, state) in tensors.sorted(by: { $0.key < $1.key }) {
      states[name] = ["base": JSON(state.base.description), "current": JSON(state.current.description)]
    }
    let entries = patches.map { entry -> JSON in
      ["id": JSON(entry.patch.description), "name": JSON(entry.name), "applied": JSON(entry.applied)]
    }
    let json: JSON = [
      "version": .integer(Self.formatVersion), "patches": .array(entries), "tensors": .object(states),
    ]
    return Array(json.prettyPrinted().utf8)
  }
}

extension JSON {
  fileprivate func digest(_ key: ByteString) -> Digest? {
    self[key]?.stringValue.flatMap(Digest.init(hexadecimal:))
  }

  /// A text that cannot move a terminal's cursor.
  fileprivate func line(_ key: ByteString) -> String? {
    self[key]?.stringValue.flatMap { text in
      text.unicodeScalars.contains { $0.properties.generalCategory == .control } ? nil : text
    }
  }
}
