import ArgumentParser
import Tensors

/// Calls `body` for every input. Of one, its failure is the tool's. Of several, each failure is said, the others are done all
/// the same, and the tool ends with the exit code of the first.
///
/// Under `--json` the answers are printed when all are done, also if some failed: of one input its answer, if there is one;
/// of several an array, in which an input that failed without an answer has its error.
///
/// - Parameter body: appends its answer for `--json` to the array.
/// - Throws: what `body` throws, if there is one input; otherwise, if one failed, an `ExitCode`.
public func forEachInput(
  of tool: (some ParsableCommand).Type, _ paths: [String], asJSON: Bool,
  _ body: (_ path: String, _ answers: inout [JSON]) throws -> Void
) throws {
  var answers: [JSON] = []
  defer {
    if asJSON {
      if paths.count > 1 { printJSON(.array(answers)) } else if let answer = answers.first { printJSON(answer) }
    }
  }
  var failure: ErrataError.Kind?
  for path in paths {
    let answerCount = answers.count
    do {
      try body(path, &answers)
    } catch let error as ErrataError where paths.count > 1 {
      ToolMain.sayFailure(error, of: tool)
      if answers.count == answerCount { answers.append(error.json) }
      failure = failure ?? error.kind
    }
  }
  if let failure { throw ExitCode(failure.rawValue) }
}
