import KnowledgeEditing
import Tensors

extension ErrataError {
  static let noOtherSubjects = ErrataError(
    .usage, "the facts are about one subject alone, and their prompts can be asked of no other", remedy: "add facts")

  static func textTooLong(_ path: String, _ maximum: Int) -> ErrataError {
    ErrataError(.general, path, "is longer than \(maximum >> 20) MiB", remedy: "give a part of it")
  }

  static func textNotUTF8(_ path: String, offset: Int) -> ErrataError {
    ErrataError(.damagedInput, path, "is not UTF-8 text near byte \(offset)")
  }

  static func textTooShort(_ path: String) -> ErrataError {
    ErrataError(.general, path, "is too short: it takes two tokens to predict one of them")
  }

  static func windowWithoutText(_ leadingTokens: Int) -> ErrataError {
    ErrataError(
      .usage, "a window has no room for text beside the model's special tokens",
      remedy: .widerWindow(tokens: leadingTokens + 1))
  }

  static func badReferences(_ path: String, _ problem: String) -> ErrataError {
    ErrataError(.usage, path, problem)
  }

  public static func noReferences(_ path: String) -> ErrataError {
    ErrataError(
      .general, path, "has no texts for the relation and the new target of any of the facts",
      remedy: "give another file")
  }

  static func noQuestions(_ path: String) -> ErrataError {
    ErrataError(.usage, path, "holds no records")
  }

  static func unknownTask(_ path: String) -> ErrataError {
    ErrataError(
      .usage, path, "no task is known by this name", remedy: "a file is named for its task: \(taskFiles)")
  }

  static func noTasks(_ directory: String) -> ErrataError {
    ErrataError(.general, directory, "has none of the files \(taskFiles)")
  }

  private static var taskFiles: String {
    DownstreamTask.allCases.map { $0.rawValue + ".jsonl" }.joined(separator: ", ")
  }

  static func repeatedTask(_ path: String, _ task: String) -> ErrataError {
    ErrataError(.usage, path, "a file of the task \(task) was given already", remedy: "remove one of them")
  }

  static func tooFewRecordsForShots(_ path: String, shots: Int, count: Int) -> ErrataError {
    ErrataError(
      .usage, path, "\(shots) of its \(count) records as examples leave too few with either label",
      remedy: .fewerShots)
  }

  static func downstreamPromptTooLong(_ path: String, record: Int, _ length: Int, maximum: Int) -> ErrataError {
    ErrataError(
      .general, path,
      "record \(record): its prompt, with examples and answer \(length) tokens, is longer than the model's "
        + "\(maximum) positions",
      remedy: .fewerShotsOrRemove)
  }

  static func patchOfAnotherSequence(_ path: String) -> ErrataError {
    ErrataError(
      .general, path, "was made of other facts, with other settings or on other patches",
      remedy: "name another folder")
  }

  static func notAFolder(_ path: String) -> ErrataError {
    ErrataError(.general, path, "cannot be made or is not a folder", remedy: "name another output")
  }
}
