import ArgumentParser
import Foundation
import Tensors

/// `--part 3/8`: which part of the work a process does.
public struct PartOption: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Do this part of the work alone. auto takes it from a job array or from mpirun: SLURM_ARRAY_TASK_ID and _COUNT, "
        + "OMPI_COMM_WORLD_RANK and _SIZE, PMI_RANK and _SIZE.",
      valueName: "k/n|auto"))
  var part: PartChoice?

  public init() {}

  public var isGiven: Bool { part != nil }

  /// - Returns: nil if none is given.
  /// - Throws: a usage error if none of the variables that `auto` reads is set, or if they say nothing sensible.
  public func chosen() throws -> Part? {
    switch part {
    case nil: nil
    case .named(let part): part
    case .automatic: try Self.fromEnvironment(ProcessInfo.processInfo.environment)
    }
  }

  /// Ranks count from 0; a job array from where it was told, in steps as it was told.
  static func fromEnvironment(_ environment: [String: String]) throws -> Part {
    func number(_ name: String) throws -> Int? {
      guard let text = environment[name], !text.isEmpty else { return nil }
      guard let number = Int(text) else { throw ErrataError.badEnvironment(name, text, wanted: "a number") }
      return number
    }
    if let task = try number("SLURM_ARRAY_TASK_ID"), let count = try number("SLURM_ARRAY_TASK_COUNT") {
      let first = try number("SLURM_ARRAY_TASK_MIN") ?? 0
      let step = max(try number("SLURM_ARRAY_TASK_STEP") ?? 1, 1)
      guard let part = Part((task - first) / step + 1, of: count) else {
        throw ErrataError.badEnvironment("SLURM_ARRAY_TASK_ID", "\(task)", wanted: "one of \(count) tasks")
      }
      return part
    }
    for family in ["OMPI_COMM_WORLD", "PMI"] {
      guard let rank = try number("\(family)_RANK"), let size = try number("\(family)_SIZE") else { continue }
      guard let part = Part(rank + 1, of: size) else {
        throw ErrataError.badEnvironment("\(family)_RANK", "\(rank)", wanted: "one of \(size) ranks")
      }
      return part
    }
    throw ErrataError.noPartInEnvironment
  }
}

enum PartChoice: ExpressibleByArgument {
  case named(Part)
  case automatic

  init?(argument: String) {
    if argument == "auto" {
      self = .automatic
    } else if let part = Part(argument) {
      self = .named(part)
    } else {
      return nil
    }
  }
}
