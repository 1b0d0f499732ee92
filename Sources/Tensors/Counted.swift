/// A number with its noun: `1 fact`, `2 facts`.
///
/// - Parameter several: the plural, where it is not `one` with an s.
package func counted(_ number: Int, _ one: String, _ several: String? = nil) -> String {
  "\(number) \(inflected(number, one, several))"
}

/// The form of a word that goes with a number: `is` or `are`, `fact` or `facts`.
///
/// - Parameter several: the plural, where it is not `one` with an s.
package func inflected(_ number: Int, _ one: String, _ several: String? = nil) -> String {
  number == 1 ? one : several ?? one + "s"
}
