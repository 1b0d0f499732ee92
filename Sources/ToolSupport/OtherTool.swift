import Foundation

/// Becomes the tool `errata-NAME` that lies beside this program or on PATH.
///
/// - Parameter caller: the command that its messages are to name, such as `errata show`; its own if this is nil.
/// - Returns: only if there is no such tool.
public func becomeTool(_ name: String, _ arguments: [String], as caller: String? = nil) {
  // A name with a slash or a leading dash is never a tool: it must not reach a path.
  guard !name.contains("/"), !name.hasPrefix("-"), let path = executable(named: "errata-" + name) else { return }
  var words = ([caller ?? path] + arguments).map { strdup($0) }
  words.append(nil)
  execv(path, words)
  Failure.end("errata", .cannotRun(path, errno))
}

private func executable(named name: String) -> String? {
  let own = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent().path
  let folders = [own] + (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init)
  return folders.map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
}
