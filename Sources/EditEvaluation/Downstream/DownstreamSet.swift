import Facts
import Foundation
import KnowledgeEditing
import Tensors

/// The records of one task: some as examples in front of each prompt, the others to be answered.
public struct DownstreamSet: Sendable {
  public struct Question: Sendable {
    /// In the file, from 0.
    public let record: Int
    public let prompt: String
    public let isPositive: Bool
  }

  public let task: DownstreamTask
  public let path: String
  public let examples: [Question]
  public let questions: [Question]

  /// What stands in front of each prompt: the examples with their answers, a line each after the other.
  var context: String {
    examples.map { "\($0.prompt) \($0.isPositive ? task.answers.positive : task.answers.negative)\n" }.joined()
  }

  /// Reads files that are named for their tasks (`sst2.jsonl`), or those of them that lie in a directory.
  ///
  /// - Parameters:
  ///   - shots: the number of examples, of the two labels in turn, drawn from the file; the others are asked.
  ///   - seed: of the draw.
  ///   - limit: how many questions to ask at most, the first in the file that are no examples; nil for all.
  /// - Throws: an `ErrataError` that names file, record and field.
  public static func read(_ paths: [String], shots: Int, seed: UInt64, limit: Int?) throws -> [DownstreamSet] {
    var sets: [DownstreamSet] = []
    for path in try paths.flatMap(files) {
      let name = URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent
      guard let task = DownstreamTask(rawValue: name.lowercased()) else { throw ErrataError.unknownTask(path) }
      guard !sets.contains(where: { $0.task == task }) else { throw ErrataError.repeatedTask(path, task.rawValue) }
      sets.append(try DownstreamSet(task, path, shots: shots, seed: seed, limit: limit))
    }
    return sets
  }

  private static func files(_ path: String) throws -> [String] {
    var isDirectory: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory), isDirectory.boolValue else {
      return [path]
    }
    let found = DownstreamTask.allCases.map { "\(path)/\($0.rawValue).jsonl" }
      .filter { FileManager.default.fileExists(atPath: $0) }
    guard !found.isEmpty else { throw ErrataError.noTasks(path) }
    return found
  }

  private init(_ task: DownstreamTask, _ path: String, shots: Int, seed: UInt64, limit: Int?) throws {
    self.task = task
    self.path = path
    let questions = try FactFile.records(path).map { record in
      let fields = try record.get()
      return Question(
        record: fields.place.record, prompt: try task.prompt(fields), isPositive: try task.isPositive(fields))
    }
    guard !questions.isEmpty else { throw ErrataError.noQuestions(path) }
    var random = RandomSource(seed: seed)
    let shuffled = questions.shuffled(using: &random)
    let drawn = [true, false].map { label in shuffled.filter { $0.isPositive == label } }
    let counts = [(shots + 1) / 2, shots / 2]
    guard zip(drawn, counts).allSatisfy({ $0.count >= $1 }), questions.count > shots else {
      throw ErrataError.tooFewRecordsForShots(path, shots: shots, count: questions.count)
    }
    examples = (0..<shots).map { drawn[$0 % 2][$0 / 2] }
    let used = Set(examples.map(\.record))
    self.questions = Array(questions.filter { !used.contains($0.record) }.prefix(limit ?? .max))
  }
}
