import Foundation
import Tensors
import WeightPatch

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
///
/// Everything there is reached from a directory that was opened, and through no link.
struct LedgerLocation: Sendable {
  let directory: AnchoredPath

  init(directory: AnchoredPath) { self.directory = directory }

  /// - Throws: an `ErrataError` if the directory that the ledger would be in is not there.
  package init(checkpoint path: String, isDirectory: Bool) throws {
    let anchor = try Anchor(path: isDirectory ? path : parentDirectory(of: path))
    directory =
      isDirectory
      ? AnchoredPath(Self.name, in: anchor, path: path + "/" + Self.name)
      : AnchoredPath(fileName(of: path) + Self.name, in: anchor, path: path + Self.name)
  }

  static let name = ".errata"

  /// The next ledger in the making, with the journal of a change that has begun, if it is there.
  var change: LedgerLocation { LedgerLocation(directory: directory.withSuffix(".change")) }
  /// The next ledger, of a change that is complete, if it is there.
  var next: LedgerLocation { LedgerLocation(directory: directory.withSuffix(".next")) }
  /// The ledger that was replaced, on its way out.
  var previous: LedgerLocation { LedgerLocation(directory: directory.withSuffix(".old")) }
  var journal: AnchoredPath { directory.appending("journal") }

  var manifest: AnchoredPath { directory.appending("ledger.json") }
  var patches: AnchoredPath { directory.appending("patches") }
  var undoRecords: AnchoredPath { directory.appending("undo") }

  /// Whether there is a ledger, or a change has begun that could lead to one.
  func isInUse() throws -> Bool {
    try [directory, change.directory, next.directory].contains { try $0.kind() != nil }
  }

  /// That what has the name of a ledger, or of one on its way in or out, is a directory, or not there.
  ///
  /// - Throws: an `ErrataError` (damaged input) if there is a link, or anything else.
  func check() throws {
    for place in [self, change, next, previous] { _ = try place.directory.isDirectory() }
  }

  /// The directory that the ledger is in.
  var folder: String { parentDirectory(of: directory.path) }

  /// A file of the checkpoint beside the ledger, or around it.
  ///
  /// - Parameter path: as messages have it.
  func weightFile(_ path: String) -> AnchoredPath { AnchoredPath(fileName(of: path), in: directory.anchor, path: path) }

  func patch(_ identifier: Digest) -> AnchoredPath { patches.appending("\(identifier).wpatch") }

  /// - Parameter folder: on whose file system the copy is made that is read.
  /// - Throws: an `ErrataError` if the patch is damaged, or another one.
  func openPatch(_ identifier: Digest, near folder: String?) throws -> PatchFile {
    let file = try PatchFile(PatchReader(copying: patch(identifier), near: folder))
    guard file.identifier == identifier else { throw ErrataError.wrongPatchInLedger(file.path, file.identifier) }
    return file
  }

  /// Named for the digest of the tensor's name, which need not be fit for a file name.
  func undoRecord(of tensor: ByteString) -> AnchoredPath {
    undoRecords.appending("\(Digest(of: tensor.bytes)).undo")
  }
}

// MARK: - The file

extension Ledger {
  /// More than any real ledger; what is larger is not read.
  static let largestFile = 64 << 20
  static let largestValueCount = 600_000

  /// - Throws: an `ErrataError` (damaged input) that names the file and the field.
  init(_ file: MappedFile) throws {
    let path = file.path
    guard file.bytes.count <= Self.largestFile else { throw ErrataError.damagedLedger(path, "it is too large") }
    let json: JSON
    do {
      // Read once: who rewrites it meanwhile does not change what is parsed.
      let text = withExtendedLifetime(file) { Array(file.bytes) }
      json = try JSON.parse(text, maximumValueCount: Self.largestValueCount)
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
    var known: Set<Digest> = []
    for (position, entry) in patches.enumerated() {
      guard let patch = entry.digest("id"), let name = entry.line("name"), let applied = entry.line("applied") else {
        throw ErrataError.damagedLedger(path, "patches[\(position)] is not an entry")
      }
      guard known.insert(patch).inserted else {
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
