import Foundation
import Synchronization
import Tensors
import Testing

/// Runs tools under `fault-injector` (Tests/FaultInjector), which counts the system calls that change files and lets
/// one of them go wrong.
struct FaultInjector {
  /// A system call of a tool that changes files: its number in the run, its name, and the files.
  struct Point: CustomStringConvertible {
    let number: Int
    let description: String

    var call: Substring { description.split(separator: " ")[1] }
    /// Whether half of it can be done.
    var isDivisible: Bool { ["write", "pwrite", "sendfile", "copy_file_range"].contains(call) }
  }

  enum Fault: CustomStringConvertible {
    /// SIGKILL, before the call or, if half of a write can be done, within it.
    case kill(isWithin: Bool = false, loss: Loss? = nil)
    /// The call fails, and, if `goesOn`, every later one that could fail in this way.
    case fail(String, goesOn: Bool = false)
    /// Ctrl-C, before the call.
    case interrupt
    /// A shell command runs before the call.
    case run(String)

    var description: String {
      switch self {
      case .kill(let isWithin, let loss): "killed\(isWithin ? " within" : "")\(loss.map { ", losing \($0)" } ?? "")"
      case .fail(let error, let goesOn): error + (goesOn ? " from there" : "")
      case .interrupt: "interrupted"
      case .run(let command): command
      }
    }

    fileprivate var arguments: [String] {
      switch self {
      case .kill(let isWithin, let loss):
        [isWithin ? "--kill-within" : "--kill"] + (loss.map { ["--lose", $0.rawValue] } ?? [])
      case .fail(let error, let goesOn): [goesOn ? "--fail-on" : "--fail", error]
      case .interrupt: ["--interrupt"]
      case .run(let command): ["--run", command]
      }
    }
  }

  /// What a loss of power takes besides: bytes that no fsync put on disk, or directory entries too.
  enum Loss: String {
    case data
    case entries
  }

  /// What the system may refuse.
  enum Resource: String, CaseIterable {
    case memory
    case open
    case thread

    var error: String {
      switch self {
      case .memory: "ENOMEM"
      case .open: "EMFILE"
      case .thread: "EAGAIN"
      }
    }
  }

  /// What a run took, beside what it said.
  struct Measurement {
    let result: ToolResult
    let points: [Point]
    /// Processor time.
    let seconds: Double
    /// The most resident memory, in bytes.
    let peakMemory: Int
  }

  private static let program = Tool.folder + "/fault-injector"
  static let killed: Int32 = 137

  /// Runs `errata-NAME` without a fault; counts the calls that change files below `folder`.
  static func measure(
    _ arguments: [String], in scratch: Scratch, under folder: String, environment: [String: String] = [:]
  ) throws -> Measurement {
    try measure(arguments, in: scratch, counting: ["--under", scratch(folder)], environment: environment)
  }

  /// The same; counts the calls that ask for something.
  static func measure(
    _ arguments: [String], in scratch: Scratch, asking resource: Resource, environment: [String: String] = [:]
  ) throws -> Measurement {
    try measure(arguments, in: scratch, counting: ["--calls", resource.rawValue], environment: environment)
  }

  private static func measure(
    _ arguments: [String], in scratch: Scratch, counting: [String], environment: [String: String]
  ) throws -> Measurement {
    let notes = try Scratch()
    let result = try Tool.run(
      program, counting + ["--log", notes("log"), "--usage", notes("usage"), "--"] + command(arguments),
      in: scratch.path, environment: repeatable(environment))
    let log = String(decoding: try notes.bytes("log"), as: UTF8.self)
    let points = log.split(separator: "\n").map(String.init)
    let usage = String(decoding: try notes.bytes("usage"), as: UTF8.self).split { !$0.isNumber }.compactMap { Int($0) }
    try #require(usage.count == 2)
    return Measurement(
      result: result, points: points.enumerated().map { Point(number: $0 + 1, description: $1) },
      seconds: Double(usage[0]) / 1000, peakMemory: usage[1] * 1024)
  }

  /// Runs `errata-NAME` with a fault at a point.
  static func run(
    _ arguments: [String], _ fault: Fault, at point: Int, in scratch: Scratch, under folder: String,
    environment: [String: String] = [:]
  ) throws -> ToolResult {
    try scratch.makeFolder("kept")
    return try Tool.run(
      program,
      ["--under", scratch(folder), "--keep", scratch("kept"), "--at", "\(point)"] + fault.arguments + ["--"]
        + command(arguments), in: scratch.path, environment: repeatable(environment))
  }

  /// Runs `errata-NAME` with a call that asks for something failing, or that and all later ones.
  static func run(
    _ arguments: [String], refusing resource: Resource, at point: Int, goesOn: Bool, in scratch: Scratch
  ) throws -> ToolResult {
    try Tool.run(
      program,
      ["--calls", resource.rawValue, "--at", "\(point)", goesOn ? "--fail-on" : "--fail", resource.error, "--"]
        + command(arguments), in: scratch.path, environment: environment, timeout: 30)
  }

  private static func command(_ arguments: [String]) -> [String] {
    ["\(Tool.folder)/errata-\(arguments[0])"] + arguments.dropFirst()
  }

  /// So that a run repeats: the time in the ledger, and the order of what comes out of a hash table.
  static let environment = ["SOURCE_DATE_EPOCH": "1700000000", "SWIFT_DETERMINISTIC_HASHING": "1"]

  private static func repeatable(_ environment: [String: String]) -> [String: String] {
    Self.environment.merging(environment) { $1 }
  }

  /// Calls `body` for every element on all processors.
  static func forEach<Element: Sendable>(_ elements: [Element], _ body: @Sendable (Element) throws -> Void) throws {
    let failure = Mutex<(any Error)?>(nil)
    DispatchQueue.concurrentPerform(iterations: elements.count) { index in
      do {
        try body(elements[index])
      } catch {
        failure.withLock { $0 = $0 ?? error }
      }
    }
    if let error = failure.withLock({ $0 }) { throw error }
  }
}

extension Scratch {
  func makeFolder(_ name: String) throws {
    try FileManager.default.createDirectory(atPath: self(name), withIntermediateDirectories: true)
  }

  /// Everything below a folder: of directories the permissions, of files also the bytes' digest. By relative path.
  func tree(_ folder: String) throws -> [String: String] {
    var result: [String: String] = [:]
    for case let name as String in FileManager.default.enumerator(atPath: self(folder)) ?? .init() {
      let path = "\(self(folder))/\(name)"
      var status = stat()
      guard lstat(path, &status) == 0 else { continue }
      let isFile = status.st_mode & S_IFMT == S_IFREG
      result[name] = String(status.st_mode, radix: 8) + (isFile ? " \(try Digest(contentsOf: path))" : "")
    }
    return result
  }
}
