import Foundation

/// The folder in which Hugging Face's libraries keep what they have downloaded, where a model is found by its name.
/// Nothing is ever fetched.
///
///     models--ORG--NAME/refs/main             the commit that the main branch stood at
///     models--ORG--NAME/snapshots/COMMIT/     its files, mostly as links to blobs
package enum HubCache {
  /// By the environment, as huggingface_hub finds it.
  package static var folder: String {
    let environment = ProcessInfo.processInfo.environment
    func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
    if let cache = value("HF_HUB_CACHE") ?? value("HUGGINGFACE_HUB_CACHE") { return cache }
    if let home = value("HF_HOME") { return home + "/hub" }
    return (value("XDG_CACHE_HOME") ?? (value("HOME") ?? "") + "/.cache") + "/huggingface/hub"
  }

  /// Whether a path may be a model's name, `org/name` or, of the first models, `name`.
  package static func isName(_ path: String) -> Bool {
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    return parts.count <= 2 && !path.hasSuffix(".safetensors") && !path.contains("--") && !path.contains("..")
      && parts.allSatisfy { part in
        guard let first = part.utf8.first, let last = part.utf8.last else { return false }
        return isWord(first) && isWord(last) && part.utf8.allSatisfy { isWord($0) || $0 == 0x2D || $0 == 0x2E }
      }
  }

  private static func isWord(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x5F: true
    default: false
    }
  }

  /// The folder of the model's files; nil if the cache has no whole one of that name.
  package static func snapshot(ofModel name: String) -> String? {
    guard isName(name) else { return nil }
    let folder = "\(folder)/models--\(name.replacing("/", with: "--"))"
    guard let reference = try? String(contentsOfFile: folder + "/refs/main", encoding: .utf8) else { return nil }
    let commit = reference.trimmingCharacters(in: .whitespacesAndNewlines)
    // The file is input: it must not lead out of the folder.
    guard !commit.isEmpty, commit.utf8.allSatisfy(isWord) else { return nil }
    let snapshot = "\(folder)/snapshots/\(commit)"
    return FileManager.default.fileExists(atPath: snapshot) ? snapshot : nil
  }

  /// Where a checkpoint is that is named by its path or, if there is nothing at that path, by its model's name.
  package static func path(ofCheckpoint path: String) -> String {
    FileManager.default.fileExists(atPath: path) ? path : snapshot(ofModel: path) ?? path
  }

  /// The model's name, if a path leads to a snapshot.
  package static func model(ofSnapshot path: String) -> String? {
    let parts = URL(fileURLWithPath: path).standardizedFileURL.path.split(separator: "/")
    let prefix = "models--"
    guard parts.count >= 3, parts[parts.count - 2] == "snapshots", parts[parts.count - 3].hasPrefix(prefix) else {
      return nil
    }
    return String(parts[parts.count - 3].dropFirst(prefix.count)).replacing("--", with: "/")
  }
}
