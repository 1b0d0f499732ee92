import Foundation
import Tensors

/// The files of ordinary text that second moments are collected from.
public struct Corpus: Sendable {
  /// What a file holds.
  enum Form: Sendable, Equatable {
    /// One document: the whole file.
    case plainText
    /// A document in each line: a field of a JSON object.
    case jsonLines(field: String)
  }

  struct File: Sendable {
    let file: MappedFile
    let form: Form
  }

  /// The field that holds the text unless another is asked for.
  public static let defaultField = "text"
  let files: [File]

  /// Opens the files. One whose name ends in `.jsonl` has a JSON object with its text in each line.
  ///
  /// - Parameter field: the objects' field that holds the text.
  /// - Throws: an `ErrataError` if a file cannot be opened, occurs twice, or `field` is given and no file is a
  ///   `.jsonl`.
  public init(paths: [String], field: String? = nil) throws {
    var files: [File] = []
    for path in paths {
      if files.contains(where: { $0.file.path == path }) { throw ErrataError.textRepeated(path) }
      let isJSONLines = path.lowercased().hasSuffix(".jsonl")
      files.append(
        File(
          file: try MappedFile(path: path),
          form: isJSONLines ? .jsonLines(field: field ?? Self.defaultField) : .plainText))
    }
    if field != nil, files.allSatisfy({ $0.form == .plainText }) { throw ErrataError.fieldWithoutJSONLines() }
    self.files = files
  }

  /// The paths, as messages name them.
  var path: String { files.map(\.file.path).joined(separator: ", ") }

  /// The files' names, for people.
  var name: String {
    files.map { URL(fileURLWithPath: $0.file.path).lastPathComponent }.joined(separator: ", ")
  }

  /// SHA-256 of the file if it is one of plain text; otherwise of a line for each file, in order: its digest, and for a
  /// `.jsonl` a space and the field's name.
  var digest: Digest {
    if files.count == 1, files[0].form == .plainText { return files[0].file.digest(of: files[0].file.bytes.indices) }
    var hasher = DigestHasher()
    for file in files {
      hasher.update(file.file.digest(of: file.file.bytes.indices).description)
      if case .jsonLines(let field) = file.form { hasher.update(" \(field)") }
      hasher.update("\n")
    }
    return hasher.finalize()
  }
}
