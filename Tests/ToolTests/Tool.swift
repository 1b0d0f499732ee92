import Foundation
import Synchronization
import Tensors
import TestSupport
import Testing

/// What a tool left behind.
struct ToolResult {
  let exitCode: Int32
  let output: String
  let errors: String

  /// The answer of `--json`, or an array of answers; each is as its schema says.
  var json: JSON {
    get throws {
      let json = try JSON.parse(Array(output.utf8))
      for answer in json.arrayValue ?? [json] {
        let problems = try JSONSchema.problems(ofAnswer: answer)
        try #require(problems.isEmpty, "\(answer["answer"]?.stringValue ?? "?"): \(problems.prefix(5))")
      }
      return json
    }
  }

  /// The answers of `--json`, of one input or of several.
  var answers: [JSON] {
    get throws {
      let json = try json
      return json.arrayValue ?? [json]
    }
  }
}

/// Runs the tools that were built beside this test bundle, as processes.
enum Tool {
  private static let starting = Mutex(())

  /// Where the tools are.
  static let folder = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent().path

  /// Runs `errata` with `arguments` in a folder.
  ///
  /// - Parameters:
  ///   - interruptWhen: asked again and again while the tool runs; once true, the tool gets SIGINT.
  ///   - timeout: seconds, after which the tool is killed.
  static func errata(
    _ arguments: [String], in folder: String, environment: [String: String] = [:],
    interruptWhen: ((_ process: Int32) -> Bool)? = nil, timeout: TimeInterval = 180
  ) throws -> ToolResult {
    try run(
      Self.folder + "/errata", arguments, in: folder, environment: environment, interruptWhen: interruptWhen,
      timeout: timeout)
  }

  static func run(
    _ program: String, _ arguments: [String], in folder: String, environment: [String: String] = [:],
    interruptWhen: ((_ process: Int32) -> Bool)? = nil, timeout: TimeInterval = 180
  ) throws -> ToolResult {
    // Through files: a pipe that nobody reads would stop the tool.
    let scratch = try Scratch()
    let paths = (output: scratch("output"), errors: scratch("errors"))
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    process.currentDirectoryURL = URL(fileURLWithPath: folder)
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardInput = FileHandle.nullDevice
    let writers = try [writer(paths.output), writer(paths.errors)]
    (process.standardOutput, process.standardError) = (writers[0], writers[1])
    let ended = DispatchSemaphore(value: 0)
    process.terminationHandler = { _ in ended.signal() }
    // Foundation's `Process` does not start from several threads at once.
    try starting.withLock { _ in try withSignalsUnblocked { try process.run() } }
    // `Process` keeps them for ever, and reads beyond its memory when a few thousand files are open.
    for writer in writers { try writer.close() }

    let deadline = Date() + timeout
    var timedOut = false
    var interruptWhen = interruptWhen
    while ended.wait(timeout: .now() + (interruptWhen == nil ? 1 : 0.002)) == .timedOut {
      if let isTime = interruptWhen, isTime(process.processIdentifier) {
        kill(process.processIdentifier, SIGINT)
        interruptWhen = nil
      }
      if !timedOut, Date() > deadline {
        timedOut = true
        kill(process.processIdentifier, SIGKILL)
      }
    }
    return ToolResult(
      exitCode: process.terminationReason == .exit ? process.terminationStatus : 128 + process.terminationStatus,
      output: text(paths.output),
      errors: text(paths.errors) + (timedOut ? "(killed after \(Int(timeout)) s)\n" : ""))
  }

  /// Whether a process has installed a handler for SIGINT; before, an interrupt would simply end it.
  static func catchesInterrupts(_ process: Int32) -> Bool {
    let status = (try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)) ?? ""
    guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix("SigCgt:") }),
      let mask = UInt64(line.drop { $0 != "\t" }.dropFirst(), radix: 16)
    else { return false }
    return mask & 1 << (SIGINT - 1) != 0
  }

  /// The threads that tests run on block signals, and a process starts with what the thread that starts it blocks.
  private static func withSignalsUnblocked(_ start: () throws -> Void) rethrows {
    var none = sigset_t()
    var previous = sigset_t()
    sigemptyset(&none)
    pthread_sigmask(SIG_SETMASK, &none, &previous)
    defer { pthread_sigmask(SIG_SETMASK, &previous, nil) }
    try start()
  }

  private static func writer(_ path: String) throws -> FileHandle {
    _ = FileManager.default.createFile(atPath: path, contents: nil)
    return try FileHandle(forWritingTo: URL(fileURLWithPath: path))
  }

  private static func text(_ path: String) -> String {
    String(decoding: (try? Data(contentsOf: URL(fileURLWithPath: path))) ?? Data(), as: UTF8.self)
  }
}

/// All tests that run tools: one after another, because each tool takes every core.
@Suite(.serialized) struct ToolTests {}
