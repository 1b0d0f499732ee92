import ArgumentParser
import Foundation

/// Where a tool that changes checkpoints writes to.
public struct Destination: ParsableArguments {
  @Option(name: [.short, .long], help: "The directory or file to write; it must not exist.")
  public var output: String?

  @Flag(
    help: "Change the checkpoint itself. A crash is repaired by the next run. A file with other names is copied first.")
  public var inPlace = false

  @Flag(help: "Hard-link the files without edited tensors instead of copying them.")
  public var link = false

  @Flag(help: "Copy what links in the checkpoint lead to, also outside of it.")
  public var followLinks = false

  @Flag(help: "Check everything, write nothing.")
  public var dryRun = false

  public init() {}

  /// Where something will be written, or nil.
  ///
  /// - Parameter checkpoint: the checkpoint that the tool changes.
  public func folder(changing checkpoint: String) -> String? {
    if let output { return URL(fileURLWithPath: output).deletingLastPathComponent().path }
    guard inPlace else { return nil }
    var isDirectory: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: checkpoint, isDirectory: &isDirectory)
    return exists && isDirectory.boolValue
      ? checkpoint : URL(fileURLWithPath: checkpoint).deletingLastPathComponent().path
  }

  /// Called by the tool after its own checks, so that those are reported first.
  ///
  /// - Throws: a usage error.
  public func check() throws {
    if output != nil && inPlace { throw ValidationError("--output and --in-place exclude each other") }
    if link && inPlace { throw ValidationError("--link goes with --output only") }
    if followLinks && output == nil { throw ValidationError("--follow-links goes with --output only") }
    if output == nil && !inPlace && !dryRun { throw ValidationError("give --output or --in-place") }
  }
}

/// What is said when a file was given a copy of its own before it changed in place.
public func ownFileNotice(_ path: String) -> String {
  "note: \(path): was a link or had other names, so it was copied first; under those the file is as it was"
}
