import Tensors

/// A `.npz` file, as numpy's `savez` and `savez_compressed` write it: a zip archive with a `.npy` file for each array.
package struct NumpyArchive: Sendable {
  package let path: String
  private let archive: ZipArchive

  /// - Throws: an `ErrataError` if the file cannot be read or is no zip archive.
  package init(path: String) throws {
    self.path = path
    archive = try ZipArchive(path: path)
  }

  /// Of its arrays, in the order of the file.
  package var names: [String] {
    archive.names.map(\.description).filter { $0.hasSuffix(Self.suffix) }.map { String($0.dropLast(Self.suffix.count)) }
  }

  /// Calls `body` with an array, after its checksum was found right.
  ///
  /// - Parameter maximumByteCount: of its elements; a longer one is an error.
  /// - Returns: nil if there is no such array.
  /// - Throws: an `ErrataError` if it is damaged, or not of a type that `NumpyArray` has.
  package func withArray<Result>(
    _ name: String, maximumByteCount: Int, _ body: (NumpyArray) throws -> Result
  ) throws -> Result? {
    try archive.withEntry(ByteString(name + Self.suffix), maximumCount: maximumByteCount + Self.largestHeader) {
      bytes in
      do {
        return try body(NumpyArray(bytes))
      } catch let error as NumpyArray.FormatError {
        throw ErrataError.notNumpyArchive(path, "'\(name)': \(error.reason)")
      }
    }
  }

  private static let suffix = ".npy"
  private static let largestHeader = 1 << 16
}
