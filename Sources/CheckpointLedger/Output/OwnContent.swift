import Foundation
import Tensors
import WeightPatch

/// What Errata itself puts below a ledger's name. Nothing else there is ever removed: a name alone proves nothing, as a
/// checkpoint may come from anywhere.
enum OwnContent {
  /// Removes directories with all that is in them, or does nothing where there is none.
  ///
  /// - Parameters:
  ///   - places: directories of ledgers: in use, in the making, or on their way out.
  ///   - journals: directories of journals.
  /// - Throws: an `ErrataError` (damaged input) that names the first thing found in any of them that is not Errata's,
  ///   or is a link; nothing is removed then.
  static func remove(_ places: [AnchoredPath], journals: [AnchoredPath] = []) throws {
    let found =
      try places.flatMap { try contents(of: $0, as: nil) } + journals.flatMap { try contents(of: $0, as: "journal") }
    for (path, isDirectory) in found {
      if isDirectory { try path.removeDirectory() } else { try path.removeFile() }
    }
  }

  /// Everything in a directory and itself, in an order in which it can be removed.
  ///
  /// - Parameter folder: which of a ledger's directories it is; nil for the ledger.
  private static func contents(of directory: AnchoredPath, as folder: String?) throws -> [(
    AnchoredPath, isDirectory: Bool
  )] {
    guard try directory.isDirectory() else { return [] }
    return try directory.entries().flatMap { name in
      let path = directory.appending(name)
      if folder == nil, ["patches", "undo", "journal"].contains(name) { return try contents(of: path, as: name) }
      guard try path.isFile() else { return [] }
      guard isOwn(name, in: folder) else { throw ErrataError.foreignAmongOwnFiles(path.path) }
      return [(path, false)]
    } + [(directory, true)]
  }

  /// Whether a file of Errata's has that name, or has it when it is complete.
  private static func isOwn(_ name: String, in folder: String?) -> Bool {
    let name = completed(name)
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    switch folder {
    // A number is a copy of a weight file that has other names.
    case nil: return name == "ledger.json" || isNumber(name[...])
    case "patches": return parts.count == 2 && isDigest(parts[0]) && parts[1] == "wpatch"
    case "undo": return parts.count == 2 && isDigest(parts[0]) && parts[1] == "undo"
    default:
      return ["journal.json", "chunks"].contains(name)
        || parts.count == 3 && isNumber(parts[0]) && isNumber(parts[1]) && parts[2] == "before"
    }
  }

  /// The name without what `AtomicFile` puts around it: `.NAME.a1B2c3`.
  private static func completed(_ name: String) -> String {
    guard name.hasPrefix("."), let dot = name.lastIndex(of: "."), dot != name.startIndex,
      name[dot...].utf8.count == 7
    else { return name }
    return String(name[name.index(after: name.startIndex)..<dot])
  }

  private static func isNumber(_ text: Substring) -> Bool {
    !text.isEmpty && text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
  }

  private static func isDigest(_ text: Substring) -> Bool { Digest(hexadecimal: String(text)) != nil }
}
