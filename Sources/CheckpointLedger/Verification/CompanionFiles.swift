import Foundation
import Safetensors
import Tensors
import WeightPatch

extension Checkpoint {
  /// The names of the files beside the weights that decide what the model says: its configuration, the settings of
  /// generation, the tokenizer, chat templates, and code of its own. In order of name; none for a bare file.
  ///
  /// - Throws: an `ErrataError` if the directory cannot be read.
  package func companionFiles() throws -> [String] {
    guard let directory else { return [] }
    do {
      return try FileManager.default.contentsOfDirectory(atPath: directory).filter(Self.isCompanion).sorted()
    } catch {
      throw ErrataError.system("read", directory, error.systemCode)
    }
  }

  private static func isCompanion(_ name: String) -> Bool {
    ["config.json", "generation_config.json", "special_tokens_map.json", "added_tokens.json", "merges.txt"]
      .contains(name)
      || ["tokenizer", "vocab.", "chat_template"].contains(where: name.hasPrefix)
      || [".model", ".tiktoken", ".jinja", ".py"].contains(where: name.hasSuffix)
  }
}

/// A file beside the weights that is not the base's.
package struct FileFinding: Sendable, Equatable {
  package enum Problem: Sendable, Equatable {
    /// The base has it, and the checkpoint does not.
    case missing
    case notInBase
    /// Other bytes; the names of the members that differ, where both are JSON objects.
    case differs(members: [String])
  }

  package let file: String
  package let problem: Problem
}

extension FileFinding {
  /// Compares the companion files of a checkpoint with its base's, byte for byte.
  ///
  /// - Returns: the names of all of them, and those that differ.
  /// - Throws: an `ErrataError` if one cannot be read.
  static func all(in checkpoint: Checkpoint, base: Checkpoint) throws -> (compared: [String], findings: [FileFinding]) {
    let names = (try Set(checkpoint.companionFiles()), try Set(base.companionFiles()))
    let all = names.0.union(names.1).sorted()
    let findings = try all.compactMap { name -> FileFinding? in
      guard names.0.contains(name) else { return FileFinding(file: name, problem: .missing) }
      guard names.1.contains(name) else { return FileFinding(file: name, problem: .notInBase) }
      let files = try (
        MappedFile(path: checkpoint.directory! + "/" + name), MappedFile(path: base.directory! + "/" + name)
      )
      return withExtendedLifetime(files) {
        let bytes = (files.0.bytes, files.1.bytes)
        let count = bytes.0.count
        if count == bytes.1.count, count == 0 || memcmp(bytes.0.baseAddress!, bytes.1.baseAddress!, count) == 0 {
          return nil
        }
        return FileFinding(file: name, problem: .differs(members: differingMembers(bytes.0, bytes.1)))
      }
    }
    return (all, findings)
  }

  /// The members of a vocabulary of millions of bytes say little.
  private static let largestExplained = 1 << 20

  private static func differingMembers(_ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer) -> [String] {
    guard max(first.count, second.count) <= largestExplained, let first = try? JSON.parse(first).objectValue,
      let second = try? JSON.parse(second).objectValue
    else { return [] }
    return Set(first.keys).union(second.keys).sorted().filter { first[$0] != second[$0] }.map(\.description)
  }
}

extension FileFinding.Problem: CustomStringConvertible {
  /// For people, without the file's name.
  package var description: String {
    switch self {
    case .missing: return "is in the base, and missing here"
    case .notInBase: return "is not in the base"
    case .differs(let members):
      return "differs from the base's" + (members.isEmpty ? "" : ": \(boundedList(members))")
    }
  }

  /// For programs: the member `problem` of a tool's `--json`.
  package var name: String {
    switch self {
    case .missing: "missing"
    case .notInBase: "not_in_base"
    case .differs: "differs_from_base"
    }
  }
}
