import Foundation

/// The last component of a path.
package func fileName(of path: String) -> String { String(path.split(separator: "/").last ?? "") }

/// The folder that a path lies in, absolute.
package func parentDirectory(of path: String) -> String {
  URL(fileURLWithPath: path).deletingLastPathComponent().path
}
