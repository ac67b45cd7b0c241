"""Reads entities off tags; fastner.tags says how."""


def spans(tags, split_tag, span):
    """A span(start, end, label) for every entity; split_tag(tag) gives its prefix and label."""
    cdef list found = []
    cdef Py_ssize_t position = 0, start = -1  # of the open entity, -1 outside
    cdef str prefix, before = ""
    label = ""
    for tag in tags:
        if tag == "O":
            if start >= 0:
                found.append(span(start, position, label))
                start = -1
        else:
            prefix, current = split_tag(tag)
            if start < 0:
                start = position
            elif prefix in "BS" or before in "ES" or current != label:
                found.append(span(start, position, label))
                start = position
            label, before = current, prefix
        position += 1
    if start >= 0:
        found.append(span(start, position, label))
    return found
