"""What services share through Redis. Every key begins with ``catenary:``; values are protobuf bytes."""
