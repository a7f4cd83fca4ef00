ROWS = [["Ada", 36], ["Bob", 25], ["Cy", 41]]
