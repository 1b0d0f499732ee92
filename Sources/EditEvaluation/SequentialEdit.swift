import Facts
import Foundation
import KnowledgeEditing
import Tensors
import WeightPatch

/// Edits facts one batch after the other: a patch for each batch, whose parents are those before it, in a folder.
///
/// Patches that an earlier run has left there are kept, if they are what this one would make.
public struct SequentialEdit {
  /// One batch, and how the facts fare after it.
  public struct Step: Sendable {
    /// Of the patch.
    public let path: String
    public let patch: Digest
    public let factCount: Int
    /// The scores of the batch's own facts, and of all facts so far; nil if none were asked for.
    public let scores: (own: ScoreSummary, all: ScoreSummary)?
    /// What the model says of all facts after the last batch; nil before it, and if no scores were asked for.
    public internal(set) var verdicts: [FactVerdict]?
  }

  /// What is going on.
  public enum Progress {
    /// The batch of this number, from 0, is being edited.
    case editing(batch: Int, EditProgress)
    /// Its patch is made, and the facts so far are scored.
    case scoring(batch: Int, completed: Int, total: Int)
  }

  /// It was stopped after so many patches were complete.
  public struct Interruption: Error {
    public let patchCount: Int
    public let batchCount: Int
    public let folder: String
  }

  private let editor: Editor
  private let parents: [PatchFile]
  private let folder: String
  private let compressionLevel: Int

  /// - Parameters:
  ///   - editor: computes on top of the parents.
  ///   - parents: the patches that it was made with.
  ///   - folder: is made if it is not there.
  public init(
    _ editor: Editor, parents: [PatchFile] = [], folder: String,
    compressionLevel: Int = PatchWriter.defaultCompressionLevel
  ) {
    self.editor = editor
    self.parents = parents
    self.folder = folder
    self.compressionLevel = compressionLevel
  }

  /// - Parameters:
  ///   - origin: is asked for what each patch says of those who made it.
  ///   - evaluates: whether all facts so far are scored after each batch.
  ///   - onProgress: false stops.
  /// - Throws: an `EditInterruption` within a batch, an `Interruption` after one, and an `ErrataError` as an edit does
  ///   or if the folder has another run's patches. The patches that are complete stay, and the same call goes on after
  ///   them.
  public func run(
    _ records: [FactRecord], batchSize: Int, origin: () -> PatchOrigin, evaluates: Bool = true,
    onProgress: (Progress) -> Bool = { _ in true }
  ) throws -> [Step] {
    try makeFolder()
    let batches = stride(from: 0, to: records.count, by: batchSize).map {
      Array(records[$0..<min($0 + batchSize, records.count)])
    }
    let digits = max(3, String(batches.count).count)
    var steps: [Step] = []
    var (opened, written) = (parents, [String]())
    var goesOn = true
    func tell(_ progress: Progress) -> Bool {
      goesOn = onProgress(progress) && goesOn
      return goesOn
    }
    for (index, batch) in batches.enumerated() {
      let number = String(index + 1)
      let path = "\(folder)/\(String(repeating: "0", count: digits - number.count))\(number).wpatch"
      let facts = batch.map(\.fact)
      let identifier: Digest
      if FileManager.default.fileExists(atPath: path) {
        let file = try PatchFile(path: path)
        guard try editor.wouldMake(file.manifest, of: facts) else { throw ErrataError.patchOfAnotherSequence(path) }
        opened += try written.map { try PatchFile(path: $0) } + [file]
        written = []
        try editor.restart(after: opened)
        identifier = file.identifier
      } else {
        let archive = ValueArchive(outputPath: path)
        let patch = try editor.edit(facts, origin: origin(), archive: archive) { tell(.editing(batch: index, $0)) }
        _ = try Profile.measure("write the patch") { try patch.write(to: path, compressionLevel: compressionLevel) }
        archive.remove()
        editor.keep(patch)
        written.append(path)
        identifier = patch.identifier
      }
      var scores: (own: ScoreSummary, all: ScoreSummary)?
      if evaluates {
        let edited = batches[...index].flatMap { $0 }
        try editor.base.compute()
        let found = try FactScorer(editor.base.model()).score(edited) {
          tell(.scoring(batch: index, completed: $0, total: edited.count))
        }
        guard found.count == edited.count else { throw interruption(index + 1, of: batches.count) }
        scores = (ScoreSummary(found.suffix(batch.count)), ScoreSummary(found))
      }
      var step = Step(path: path, patch: identifier, factCount: batch.count, scores: scores)
      if evaluates, index == batches.count - 1 {
        step.verdicts = try FactJudge(editor.base.model()).judge(records.map(\.fact))
      }
      steps.append(step)
      if !goesOn, index + 1 < batches.count { throw interruption(index + 1, of: batches.count) }
    }
    return steps
  }

  private func makeFolder() throws {
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw ErrataError.notAFolder(folder)
    }
  }

  private func interruption(_ done: Int, of count: Int) -> Interruption {
    Interruption(patchCount: done, batchCount: count, folder: folder)
  }
}
