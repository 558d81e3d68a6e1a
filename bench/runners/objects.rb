# SPDX-License-Identifier: MIT
# Trees of objects; words grouped, indexed by prefix, joined and split again. Most strings are longer than what ruby
# keeps within the object, so they are malloc's. Prints a sum over all that it made.

Node = Struct.new(:left, :right, :name)

def tree(depth)
  depth.zero? ? Node.new(nil, nil, "a leaf of the tree, named at length") : Node.new(tree(depth - 1), tree(depth - 1), nil)
end

def length_of_names(node)
  node.name ? node.name.length : length_of_names(node.left) + length_of_names(node.right)
end

sum = 0
12.times { sum += length_of_names(tree(14)) }
words = (0...60_000).map { |n| "word#{n * 7919 % 60_013}" * (1 + n % 8) }
8.times do |turn|
  groups = words.group_by(&:length)
  sum += groups.values.sum { |group| group.min.length }
  index = {}
  words.each_with_index { |word, at| (index[word[0, 6]] ||= []) << { at: at, text: word.upcase } }
  sum += index.size
  text = words.each_slice(50).map { |part| part.join(",") }.join("\n")
  sum += text.lines.sum { |line| line.chomp.split(",").map(&:reverse).uniq.size }
  words = words.rotate(turn).map { |word| word.tr("a-z", "b-za") }
end
puts sum
