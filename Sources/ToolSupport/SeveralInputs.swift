import ArgumentParser
import Tensors

/// Calls `body` for every input. Of one, its failure is the tool's. Of several, each failure is said, the others are done all
/// the same, and the tool ends with the exit code of the first.
///
/// - Parameter atEnd: is called when all are done, also if some failed.
/// - Throws: what `body` throws, if there is one input; otherwise, if one failed, an `ExitCode`.
public func forEachInput(
  of tool: (some ParsableCommand).Type, _ paths: [String], _ body: (String) throws -> Void, atEnd: () -> Void = {}
) throws {
  var failure: ErrataError.Category?
  for path in paths {
    do {
      try body(path)
    } catch let error as ErrataError where paths.count > 1 {
      ToolMain.sayFailure(error, of: tool)
      failure = failure ?? error.category
    } catch {
      atEnd()
      throw error
    }
  }
  atEnd()
  if let failure { throw ExitCode(failure.rawValue) }
}

/// Prints the answers of `--json`: of one input its answer, if there is one; of several an array of those that there are.
public func printAnswers(_ answers: [JSON], of paths: [String]) {
  if paths.count > 1 {
    printJSON(.array(answers))
  } else if let answer = answers.first {
    printJSON(answer)
  }
}
