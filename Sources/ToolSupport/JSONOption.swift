import ArgumentParser
import Tensors

/// `--json`, and the one way in which answers are given: of one input its answer, of several, for programs, an array.
public struct JSONOption: ParsableArguments {
  @Flag(name: .customLong("json"), help: "Print the result as JSON.")
  public var isGiven = false

  public init() {}

  public func give(_ answer: some Answer) { give([answer]) }

  /// Gives the answers of some inputs.
  ///
  /// - Parameters:
  ///   - inputCount: how many inputs there are, if some have no answer.
  ///   - lines: what is said to people, where that is not the answers' lines one after another.
  ///   - separated: whether there is an empty line between them.
  public func give(
    _ answers: [any Answer], of inputCount: Int? = nil, lines: @autoclosure () -> [String]? = nil,
    separated: Bool = false
  ) {
    if isGiven {
      printDocuments(answers.map(\.document), inputCount: inputCount ?? answers.count)
    } else if let lines = lines() {
      for line in lines { print(line) }
    } else {
      for (index, answer) in answers.enumerated() {
        if separated, index > 0 { print("") }
        for line in answer.lines { print(line) }
      }
    }
    for answer in answers { giveRemarks(of: answer) }
  }

  /// Calls `body` for every input, which gives the answer to its second argument; it may throw for what the answer
  /// says. Of one input, its failure is the tool's. Of several, each failure is said, the others are done all the same,
  /// and the tool ends with the exit code of the first.
  ///
  /// - Parameter separated: whether there is an empty line between them.
  /// - Throws: what `body` throws, if there is one input; otherwise, if one failed, an `ExitCode`.
  public func giveEach(
    of tool: (some ParsableCommand).Type, _ paths: [String], separated: Bool = false,
    _ body: (_ path: String, _ give: (any Answer) -> Void) throws -> Void
  ) throws {
    var documents: [JSON] = []
    var failure: ErrataError.Kind?
    defer { if isGiven { printDocuments(documents, inputCount: paths.count) } }
    for (index, path) in paths.enumerated() {
      if separated, !isGiven, index > 0 { print("") }
      let documentCount = documents.count
      do {
        try body(path) { answer in
          if isGiven { documents.append(answer.document) } else { for line in answer.lines { print(line) } }
          giveRemarks(of: answer)
        }
      } catch let error as ErrataError where paths.count > 1 {
        ToolMain.sayFailure(error, of: tool)
        // An input that failed without an answer has its error in the answer's place.
        if documents.count == documentCount { documents.append(error.json) }
        failure = failure ?? error.kind
      }
    }
    if let failure { throw ExitCode(failure.rawValue) }
  }

  private func giveRemarks(of answer: any Answer) {
    for notice in answer.notices { printNotice(notice) }
    if !isGiven { for line in answer.profile?.lines ?? [] { printNotice(line) } }
  }

  /// - Parameter inputCount: of one input there may be no answer, then nothing is printed; of several there is an
  ///   array.
  private func printDocuments(_ documents: [JSON], inputCount: Int) {
    if inputCount == 1 { documents.forEach(printJSON) } else { printJSON(.array(documents)) }
  }
}
