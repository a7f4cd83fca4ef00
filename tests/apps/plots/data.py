SQUARES = [[x, x * x] for x in range(9)]
