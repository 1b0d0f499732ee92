import Synchronization
import Tensors

/// A patch file that was found to be whole. What it holds stays in the file until it is asked for, so that a patch may be
/// larger than memory.
public struct PatchFile: Sendable {
  public let path: String
  /// The patch ID.
  public let identifier: Digest
  /// The payloads of its signature frames.
  public let signatures: [[UInt8]]
  private let reader: PatchReader
  private let loaded = Loaded()

  /// Reads all of the file, and checks everything that can be checked of a patch.
  ///
  /// - Throws: an `ErrataError` if the file cannot be read or is damaged.
  public init(path: String) throws {
    let reader = try PatchReader(path: path)
    self.init(path: path, reader: reader, identifier: try reader.check(), signatures: reader.signatures)
  }

  /// The same of a patch that was checked, with other signatures than those in the file.
  init(path: String, reader: PatchReader, identifier: Digest, signatures: [[UInt8]]) {
    self.path = path
    self.reader = reader
    self.identifier = identifier
    self.signatures = signatures
  }

  /// This patch, with other signatures.
  func signed(_ signatures: [[UInt8]]) -> PatchFile {
    PatchFile(path: path, reader: reader, identifier: identifier, signatures: signatures)
  }

  public var name: String { String(path.split(separator: "/").last ?? "") }
  public var manifest: Manifest { reader.manifest }

  /// The whole patch in memory, loaded when it is first asked for.
  ///
  /// The file was whole when it was opened. As with every mapped file, whoever changes it after that ends this process.
  public var patch: Patch {
    loaded.patch.withLock { patch in
      if let patch { return patch }
      do {
        let read = try reader.readChecked(identifier: identifier)
        patch = read
        return read
      } catch {
        fatalError("\(path) was changed while it was read")
      }
    }
  }

  private final class Loaded: Sendable {
    let patch = Mutex<Patch?>(nil)
  }
}

extension PatchFile {
  var batchDigests: Set<Digest> { Set(manifest.batches.map(\.digest)) }

  /// The weights that batch `index` edits.
  func weights(ofBatch index: Int) -> [ByteString] { reader.layout.batches[index].map(\.weight) }

  /// The factors that batch `index` has for a weight, read from the file, without what exact apply does not need; nil if
  /// it does not edit it.
  ///
  /// - Throws: an `ErrataError` if the file was damaged in the meantime.
  func factors(of weight: ByteString, inBatch index: Int) throws -> LowRankFactors? {
    try reader.factors(of: weight, inBatch: index)
  }

  /// What it does, for people: `10 facts in 3 tensors`.
  public var extent: String { manifest.extent(termCount: reader.layout.termCounts.reduce(0, +)) }
}

extension Patch {
  /// What it does, for people: `10 facts in 3 tensors`.
  public var extent: String { manifest.extent(termCount: batches.reduce(0) { $0 + $1.factCount }) }
}

extension Manifest {
  fileprivate func extent(termCount: Int) -> String {
    let facts = factCount
    let tensors = count(base.tensors.count, "tensor")
    return (facts > 0 ? count(facts, "fact") : count(termCount, "term")) + " in " + tensors
  }

  private func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }
}

/// What a signature is about: a patch, whether or not its factors are in memory.
public protocol IdentifiedPatch {
  var identifier: Digest { get }
  var manifest: Manifest { get }
}

extension Patch: IdentifiedPatch {}
extension PatchFile: IdentifiedPatch {}
