/// The first of some things, in words, and how many more there are: "a, b and 3 more". A line stays a line, whatever it
/// is about.
///
/// - Parameter most: how many are named where there are more.
package func boundedList(_ items: [String], separator: String = ", ", most: Int = 5) -> String {
  let more = items.count > most ? " and \(items.count - most) more" : ""
  return items.prefix(most).joined(separator: separator) + more
}
