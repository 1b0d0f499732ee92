import Dispatch
import Foundation
import Tensors
import WeightPatch

/// The values that an unfinished edit has found, and where its search is, kept beside its output so that the same
/// command goes on from there: OUTPUT.partial, and of the other processes of a group OUTPUT.1.partial and so on. Each
/// writes its own, and reads all that it finds.
public final class ValueArchive {
  /// In nanoseconds: where a search is, is written no more often.
  private static let interval: UInt64 = 3_000_000_000
  public let path: String
  private let outputPath: String
  private var file: ValueFile?
  /// What other processes have left.
  private var others: [ValueFile] = []
  private var lastWritten = DispatchTime.now().uptimeNanoseconds

  /// - Parameters:
  ///   - outputPath: the patch, or the file of values, that is being computed.
  ///   - rank: of this process in its group.
  public init(outputPath: String, rank: Int = 0) {
    self.outputPath = outputPath
    path = Self.path(outputPath, rank)
  }

  private static func path(_ outputPath: String, _ rank: Int) -> String {
    outputPath + (rank == 0 ? "" : ".\(rank)") + ".partial"
  }

  /// By fact ID.
  public var values: [String: FoundValue] {
    others.reduce(file?.values ?? [:]) { $0.merging($1.values) { first, _ in first } }
  }
  /// The facts that were searched together when the run ended, and where they were; of each process.
  var searches: [ValueFile.Search] { ([file].compactMap(\.self) + others).compactMap(\.search) }

  /// Reads what an earlier run left; that of a run with other settings is not used, and will be overwritten.
  ///
  /// - Parameters:
  ///   - identity: what values depend on, see `EditComputation.valueIdentity`.
  ///   - learningRate: of the search.
  ///   - size: the model's hidden size.
  /// - Throws: an `ErrataError` if the file is damaged.
  func open(_ identity: Digest, learningRate: Double, size: Int) throws {
    func left(at path: String) throws -> ValueFile? {
      do {
        let found = try ValueFile(contentsOf: path, learningRate: learningRate, size: size)
        return found?.identity == identity ? found : nil
      } catch let error as ErrataError where error.kind == .damagedInput {
        throw ErrataError.partialDamaged(path)
      }
    }
    let paths = existing
    file = try paths.contains(path) ? left(at: path) : nil
    file = file ?? ValueFile(identity: identity)
    others = try paths.filter { $0 != path }.compactMap(left)
  }

  /// The files of all processes of an earlier run that are here.
  private var existing: [String] {
    let url = URL(fileURLWithPath: outputPath)
    let folder = url.deletingLastPathComponent().relativePath
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    let others = names.compactMap { name -> Int? in
      guard name.hasPrefix(url.lastPathComponent + "."), name.hasSuffix(".partial") else { return nil }
      return Int(name.dropFirst(url.lastPathComponent.count + 1).dropLast(".partial".count)).flatMap {
        $0 > 0 ? $0 : nil
      }
    }
    return ([0] + others.sorted()).map { Self.path(outputPath, $0) }
      .filter { FileManager.default.fileExists(atPath: $0) }
  }

  /// Adds values and writes the file anew.
  ///
  /// - Precondition: it is open.
  func append(_ found: [(fact: String, value: FoundValue)]) throws {
    guard !found.isEmpty else { return }
    for (fact, value) in found { file!.values[fact] = value }
    file!.search = nil
    try write()
  }

  /// Takes down where the search of some facts is; the file is written at once if that is asked for, else every few
  /// seconds.
  ///
  /// - Precondition: it is open.
  func keep(_ state: ValueSearchState, of facts: [String], atOnce: Bool) throws {
    file!.search = (facts, state)
    if atOnce || DispatchTime.now().uptimeNanoseconds - lastWritten >= Self.interval { try write() }
  }

  private func write() throws {
    try file!.write(to: path)
    lastWritten = DispatchTime.now().uptimeNanoseconds
  }

  /// Writes the output of a part, which is its values, and removes the file beside it.
  ///
  /// - Parameter values: of the part's facts.
  func finish(_ part: Part, _ values: [String: FoundValue]) throws {
    var output = ValueFile(identity: file!.identity)
    output.values = values
    output.part = part
    try output.write(to: outputPath)
    remove()
  }

  /// Removes the files, those of other processes too: the edit is done.
  public func remove() {
    for path in existing { unlink(path) }
  }
}

extension EditComputation {
  /// SHA-256 over everything that a fact's value depends on: model, templates and the settings of the search; for ROME
  /// also the facts, because each is searched on the model that those before it have edited.
  public func valueIdentity(_ facts: [Manifest.Fact]) throws -> Digest {
    let base = try describeBase()
    let texts =
      [
        "\(base.configuration!)", "\(base.tokenizer!)",
        "\(settings.learningRate) \(settings.steps) \(settings.clampNormFactor) \(settings.weightDecay)",
        "\(settings.klFactor) \(settings.stopLoss) \(settings.layers.last!) \(settings.method == .rome)",
      ] + base.tensors.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value.digest)" } + templates.templates
      + weights.foundation.parents.flatMap(\.batches).map { "\($0)" }
      // What the facts' IDs leave open.
      + Set(facts.compactMap { $0.form?.turn }.map { "\($0.before)\0\($0.after)" }).sorted()
      // A later fact of ROME sees the earlier ones as they are stored.
      + (settings.method == .rome ? facts.map(\.identifier) + ["\(settings.factorTypes)"] : [])
    return Digest(of: Array(texts.joined(separator: "\0").utf8))
  }
}
